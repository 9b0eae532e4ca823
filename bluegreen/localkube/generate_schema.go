// Prints what the OpenAPI definitions do not say about the Go types behind the kinds that localkube serves:
// which fields are left out of JSON when they are zero, which are pointers, and the Go name of their types.
//
// Used only to regenerate schema_table.json (see generate_schema.py); needs the Go modules k8s.io/api and
// k8s.io/apiextensions-apiserver.
package main

import (
	"encoding/json"
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
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Field is one JSON field: Go is the type as Go prints it, with a leading * for a pointer; Omit says when it is
// left out of JSON: "" never, "empty" as encoding/json's omitempty, "zero" as its omitzero. Named scalars
// (v1.Protocol) give their kind in Base.
type Field struct {
	Go   string `json:"go"`
	Omit string `json:"omit,omitempty"`
	Base string `json:"base,omitempty"`
}

var roots = []any{
	corev1.Namespace{}, corev1.Node{}, corev1.Pod{}, corev1.Service{}, corev1.Endpoints{}, corev1.ConfigMap{},
	corev1.Secret{}, corev1.ServiceAccount{}, corev1.Event{}, corev1.ResourceQuota{}, corev1.Binding{}, corev1.LimitRange{},
	corev1.PodTemplate{}, corev1.PersistentVolumeClaim{}, corev1.PersistentVolume{}, corev1.ReplicationController{},
	appsv1.Deployment{}, appsv1.ReplicaSet{}, appsv1.StatefulSet{}, appsv1.DaemonSet{}, appsv1.ControllerRevision{},
	batchv1.Job{}, batchv1.CronJob{}, autoscalingv1.Scale{}, autoscalingv1.HorizontalPodAutoscaler{},
	autoscalingv2.HorizontalPodAutoscaler{}, policyv1.PodDisruptionBudget{}, policyv1.Eviction{},
	networkingv1.Ingress{}, networkingv1.NetworkPolicy{}, networkingv1.IngressClass{}, discoveryv1.EndpointSlice{},
	rbacv1.Role{}, rbacv1.RoleBinding{}, rbacv1.ClusterRole{}, rbacv1.ClusterRoleBinding{},
	coordinationv1.Lease{}, eventsv1.Event{}, authenticationv1.TokenRequest{}, authenticationv1.TokenReview{},
	authenticationv1.SelfSubjectReview{}, authorizationv1.SelfSubjectAccessReview{},
	authorizationv1.SelfSubjectRulesReview{}, authorizationv1.SubjectAccessReview{},
	authorizationv1.LocalSubjectAccessReview{}, metav1.DeleteOptions{}, metav1.Status{},
	apiextensionsv1.CustomResourceDefinition{}, schedulingv1.PriorityClass{},
}

// marshaler: a type that writes its own JSON is a leaf (Quantity, Time, IntOrString).
var marshaler = reflect.TypeFor[json.Marshaler]()

var seen = map[string]map[string]Field{}

// name is the definition's name in OpenAPI: the import path, reversed as Kubernetes does, and the type.
func name(t reflect.Type) string {
	path := strings.Replace(t.PkgPath(), "k8s.io/", "io.k8s.", 1)
	return strings.ReplaceAll(path, "/", ".") + "." + t.Name()
}

func visit(t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler) || seen[name(t)] != nil {
		return
	}
	fields := map[string]Field{}
	seen[name(t)] = fields
	collect(t, fields)
}

func collect(t reflect.Type, fields map[string]Field) {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || tag == "-" {
			continue
		}
		if tag == "" && f.Anonymous {
			visit(f.Type)
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			collect(inner, fields)
			continue
		}
		omit := ""
		if strings.Contains(options, "omitzero") {
			omit = "zero"
		} else if strings.Contains(options, "omitempty") {
			omit = "empty"
		}
		fields[tag] = Field{Go: f.Type.String(), Omit: omit, Base: base(f.Type)}
		visit(f.Type)
	}
}

func base(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind().String()
}

func main() {
	for _, root := range roots {
		visit(reflect.TypeOf(root))
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	_ = encoder.Encode(seen)
}
