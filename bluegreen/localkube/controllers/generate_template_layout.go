// Prints the Go layout of a pod template: every struct's fields in order, with the names and types as Go prints them.
//
// Used only to regenerate template_layout.json, which template_hash.py reads; needs the Go module k8s.io/api:
//
//	(cd $(mktemp -d) && go mod init layout && cp .../generate_template_layout.go . && \
//	    go get k8s.io/api@v0.34.1 && go run . > template_layout.json)
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// leaves write their own JSON, so their form is named instead of their fields.
var leaves = map[reflect.Type]string{
	reflect.TypeFor[resource.Quantity]():  "quantity",
	reflect.TypeFor[metav1.Time]():        "time",
	reflect.TypeFor[intstr.IntOrString](): "intOrString",
}

var structs = map[string][][]string{}

// form describes a type: a leaf's name, "*" before what a pointer points at, "[]" before an item, "{}" before a
// map's value, "=" before the key of a struct in the output.
func form(t reflect.Type) string {
	if leaf, ok := leaves[t]; ok {
		return leaf
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + form(t.Elem())
	case reflect.Slice:
		return "[]" + form(t.Elem())
	case reflect.Map:
		return "{}" + form(t.Elem())
	case reflect.Struct:
		key := t.String()
		if structs[key] == nil {
			structs[key] = [][]string{}
			structs[key] = fields(t)
		}
		return "=" + key
	default:
		return t.Kind().String()
	}
}

// fields gives [Go name, JSON name ("" for an inlined struct), type as Go prints it, form] for each field.
func fields(t reflect.Type) [][]string {
	rows := [][]string{}
	for i := range t.NumField() {
		field := t.Field(i)
		name := strings.Split(field.Tag.Get("json"), ",")[0]
		rows = append(rows, []string{field.Name, name, field.Type.String(), form(field.Type)})
	}
	return rows
}

func main() {
	form(reflect.TypeFor[corev1.PodTemplateSpec]())
	fmt.Println(`{"source": "k8s.io/api v0.34.1", "generator": "generate_template_layout.go", "structs": {`)
	first := true
	for _, key := range sorted(structs) {
		if !first {
			fmt.Println(",")
		}
		first = false
		rows, _ := json.Marshal(structs[key])
		fmt.Printf("%q: %s", key, rows)
	}
	fmt.Fprintln(os.Stdout, "\n}}")
}

func sorted(m map[string][][]string) []string {
	keys := []string{}
	for key := range m {
		at := 0
		for at < len(keys) && keys[at] < key {
			at++
		}
		keys = append(keys[:at], append([]string{key}, keys[at:]...)...)
	}
	return keys
}
