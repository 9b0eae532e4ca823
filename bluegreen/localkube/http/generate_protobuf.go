// Prints protobuf_table.json: the field numbers of the kinds that localkube takes as protobuf, which kubectl's
// generators (create namespace, create deployment, ...) send. To regenerate:
//
//	(cd $(mktemp -d) && go mod init numbers && cp .../generate_protobuf.go . && \
//	    go get k8s.io/api@v0.34.1 k8s.io/apiextensions-apiserver@v0.34.1 && go mod tidy && go run . > .../protobuf_table.json)
//
// A message is {number: [JSON name, type]}; an inlined struct's JSON name is "". Types: s string, b bool, i integer,
// d double, y bytes, q quantity, p int or string, t time, m time with microseconds, r raw JSON, x list of strings in a
// message of its own, B, A and S a JSON schema or (field 2, for B field 1) a bool, schemas, strings, else a message's name; "[]" before a type is a list, "{}" a map from strings.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var roots = []any{
	corev1.Namespace{}, corev1.Node{}, corev1.Pod{}, corev1.Service{}, corev1.Endpoints{}, corev1.ConfigMap{},
	corev1.Secret{}, corev1.ServiceAccount{}, corev1.Event{}, corev1.ResourceQuota{}, corev1.Binding{},
	corev1.LimitRange{}, schedulingv1.PriorityClass{},
	appsv1.Deployment{}, appsv1.ReplicaSet{}, batchv1.Job{}, autoscalingv1.Scale{},
	autoscalingv2.HorizontalPodAutoscaler{}, policyv1.PodDisruptionBudget{}, policyv1.Eviction{},
	networkingv1.Ingress{}, networkingv1.IngressClass{}, networkingv1.NetworkPolicy{},
	apiextensionsv1.CustomResourceDefinition{}, discoveryv1.EndpointSlice{}, coordinationv1.Lease{},
	rbacv1.Role{}, rbacv1.RoleBinding{}, rbacv1.ClusterRole{}, rbacv1.ClusterRoleBinding{},
	authenticationv1.TokenRequest{}, authenticationv1.TokenReview{}, authenticationv1.SelfSubjectReview{},
	authorizationv1.SelfSubjectAccessReview{}, authorizationv1.SelfSubjectRulesReview{},
	authorizationv1.SubjectAccessReview{}, authorizationv1.LocalSubjectAccessReview{}, metav1.DeleteOptions{},
}

var leaves = map[string]string{
	"Quantity": "q", "IntOrString": "p", "Time": "t", "MicroTime": "m", "FieldsV1": "r", "RawExtension": "r",
	"ExtraValue": "x", "JSON": "r", "JSONSchemaPropsOrBool": "B", "JSONSchemaPropsOrArray": "A",
	"JSONSchemaPropsOrStringArray": "S",
}

type field [2]string

var messages = map[string]map[string]field{}

func name(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	return parts[len(parts)-2] + "." + parts[len(parts)-1] + "." + t.Name()
}

func visit(t reflect.Type) string {
	fields := map[string]field{}
	if messages[name(t)] != nil {
		return name(t)
	}
	messages[name(t)] = fields
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		number := strings.Split(f.Tag.Get("protobuf"), ",")
		if len(number) < 2 {
			continue
		}
		json, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if strings.Contains(options, "inline") {
			json = ""
		}
		fields[number[1]] = field{json, kind(f.Type)}
	}
	return name(t)
}

func kind(t reflect.Type) string {
	if leaf, found := leaves[t.Name()]; found {
		return leaf
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kind(t.Elem())
	case reflect.Map:
		return "{}" + kind(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "y"
		}
		return "[]" + kind(t.Elem())
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "b"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "i"
	case reflect.Float64:
		return "d"
	case reflect.Struct:
		return visit(t)
	}
	panic(fmt.Sprintf("no code for %v", t))
}

func main() {
	kinds := map[string]string{}
	for _, root := range roots {
		t := reflect.TypeOf(root)
		kinds[t.Name()] = visit(t)
	}
	out := map[string]any{"source": "k8s.io/api v0.34.1", "kinds": kinds, "messages": messages}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(out); err != nil {
		panic(err)
	}
}
