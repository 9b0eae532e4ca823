// Answers the questions of answers.jsonl with Kubernetes' own Go libraries, one JSON object a line in and out:
// quantities and names, strategic merge patches, decoding into Go types and back, and structured-merge-diff.
//
// Used only to make answers.jsonl anew (tests/localkube/test_library.py says how); needs the Go modules
// k8s.io/api and k8s.io/apimachinery of the version in schema_table.json, and schema.yaml: that table in the form
// structured-merge-diff reads.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/merge"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

type in struct {
	Mode, Kind string
	Text       string
	Doc, Patch json.RawMessage
	Managers   map[string]json.RawMessage
	Manager    string
	Force      bool
}

func obj(kind string) any {
	switch kind {
	case "Deployment":
		return &appsv1.Deployment{}
	case "ReplicaSet":
		return &appsv1.ReplicaSet{}
	case "Pod":
		return &corev1.Pod{}
	case "Service":
		return &corev1.Service{}
	case "ConfigMap":
		return &corev1.ConfigMap{}
	case "Secret":
		return &corev1.Secret{}
	case "Job":
		return &batchv1.Job{}
	case "Lease":
		return &coordinationv1.Lease{}
	case "Event":
		return &corev1.Event{}
	case "Ingress":
		return &networkingv1.Ingress{}
	case "NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	case "EndpointSlice":
		return &discoveryv1.EndpointSlice{}
	case "Endpoints":
		return &corev1.Endpoints{}
	case "HorizontalPodAutoscaler":
		return &autoscalingv2.HorizontalPodAutoscaler{}
	case "PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}
	case "Role":
		return &rbacv1.Role{}
	case "RoleBinding":
		return &rbacv1.RoleBinding{}
	case "Node":
		return &corev1.Node{}
	case "Namespace":
		return &corev1.Namespace{}
	case "ServiceAccount":
		return &corev1.ServiceAccount{}
	case "ResourceQuota":
		return &corev1.ResourceQuota{}
	}
	panic(kind)
}

var parser *typed.Parser

type conv struct{}

func (conv) Convert(o *typed.TypedValue, v fieldpath.APIVersion) (*typed.TypedValue, error) {
	return o, nil
}
func (conv) IsMissingVersionError(error) bool { return false }

func smd(r in) any {
	p := parser.Type(r.Kind)
	live, err := p.FromUnstructured(dec(r.Doc), typed.AllowDuplicates)
	if err != nil {
		return map[string]any{"error": "live: " + err.Error()}
	}
	next, err := p.FromUnstructured(dec(r.Patch))
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	managed := fieldpath.ManagedFields{}
	for k, raw := range r.Managers {
		s := &fieldpath.Set{}
		if err := s.FromJSON(bytes.NewReader(raw)); err != nil {
			panic(err)
		}
		managed[k] = fieldpath.NewVersionedSet(s, "v1", k[0] == 'a')
	}
	up := &merge.UpdaterBuilder{Converter: conv{}, ReturnInputOnNoop: true}
	u := up.BuildUpdater()
	var out *typed.TypedValue
	if r.Mode == "apply" {
		out, managed, err = u.Apply(live, next, "v1", managed, r.Manager, r.Force)
	} else {
		out, managed, err = u.Update(live, next, "v1", managed, r.Manager)
	}
	if err != nil {
		if c, ok := err.(merge.Conflicts); ok {
			list := []string{}
			for _, x := range c {
				list = append(list, x.Manager+" "+x.Path.String())
			}
			return map[string]any{"conflicts": list}
		}
		return map[string]any{"error": err.Error()}
	}
	sets := map[string]json.RawMessage{}
	for k, v := range managed {
		b, _ := v.Set().ToJSON()
		sets[k] = b
	}
	return map[string]any{"result": out.AsValue().Unstructured(), "managers": sets}
}

func dec(raw json.RawMessage) any {
	var v any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(raw, &v); err != nil {
		panic(err)
	}
	return v
}

func handle(r in) (out any) {
	defer func() {
		if e := recover(); e != nil {
			out = map[string]any{"panic": fmt.Sprint(e)}
		}
	}()
	switch r.Mode {
	case "quantity":
		q, err := resource.ParseQuantity(r.Text)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return map[string]any{"result": q.String()}
	case "strategic":
		b, err := strategicpatch.StrategicMergePatch(r.Doc, r.Patch, obj(r.Kind))
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return map[string]any{"result": json.RawMessage(b)}
	case "decode":
		o := obj(r.Kind)
		strict, err := kjson.UnmarshalStrict(r.Doc, o)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		s := []string{}
		for _, e := range strict {
			s = append(s, e.Error())
		}
		b, err := json.Marshal(o)
		if err != nil {
			return map[string]any{"marshal": err.Error()}
		}
		return map[string]any{"strict": s, "result": json.RawMessage(b)}
	case "name":
		return map[string]any{"subdomain": validation.IsDNS1123Subdomain(r.Text), "label": validation.IsDNS1123Label(r.Text),
			"label_1035": validation.IsDNS1035Label(r.Text), "qualified": validation.IsQualifiedName(r.Text), "label_value": validation.IsValidLabelValue(r.Text),
			"config_key": validation.IsConfigMapKey(r.Text), "port_name": validation.IsValidPortName(r.Text), "wildcard": validation.IsWildcardDNS1123Subdomain(r.Text),
			"environment_variable": validation.IsRelaxedEnvVarName(r.Text), "http_header": validation.IsHTTPHeaderName(r.Text)}
	case "apply", "update":
		return smd(r)
	}
	return nil
}

func main() {
	if y, err := os.ReadFile("schema.yaml"); err == nil {
		p, err := typed.NewParser(typed.YAMLObject(y))
		if err != nil {
			panic(err)
		}
		parser = p
	}
	sc := bufio.NewScanner(os.Stdin)
	sc.Buffer(make([]byte, 1<<24), 1<<24)
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	for sc.Scan() {
		var r in
		if err := json.Unmarshal(sc.Bytes(), &r); err != nil {
			panic(err)
		}
		b, err := json.Marshal(handle(r))
		if err != nil {
			b = []byte(`{"marshal":true}`)
		}
		w.Write(b)
		w.WriteByte('\n')
	}
}
