// Prints column_text.json: what kube-apiserver says of the columns of its Tables, by kind and column. To regenerate,
// in a module that requires k8s.io/kubernetes v1.34.1 and replaces each k8s.io module that its go.mod replaces by that
// module's v0.34.1:
//
//	go mod tidy && go run generate_columns.go > .../column_text.json
//
// Only the kinds that localkube serves; tests/localkube/test_tables.py compares their columns with those of tables.py.
package main

import (
	"encoding/json"
	"os"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	printers "k8s.io/kubernetes/pkg/printers/internalversion"
)

var kinds = map[string]bool{}

func init() {
	for _, kind := range []string{
		"ConfigMap", "ClusterRole", "ClusterRoleBinding", "Deployment", "EndpointSlice", "Endpoints", "Event",
		"HorizontalPodAutoscaler", "Ingress", "IngressClass", "Job", "Lease", "Namespace", "NetworkPolicy", "Node", "Pod",
		"PodDisruptionBudget", "PriorityClass", "ReplicaSet", "ResourceQuota", "Role", "RoleBinding", "Secret", "Service",
		"ServiceAccount",
	} {
		kinds[kind] = true
	}
}

type collector map[string]map[string]string

func (c collector) TableHandler(columns []metav1.TableColumnDefinition, printer interface{}) error {
	kind := reflect.TypeOf(printer).In(0).Elem().Name()
	if !kinds[kind] {
		return nil
	}
	if c[kind] == nil { // some kinds are handled twice, as an object and as a list
		c[kind] = map[string]string{}
	}
	for _, each := range columns {
		c[kind][each.Name] = each.Description
	}
	return nil
}

func main() {
	found := collector{}
	printers.AddHandlers(found)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(found)
}
