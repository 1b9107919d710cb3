package gate_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core/gate"
)

// Scripts read these documents: every member is named where its command is documented.
func TestTheDocumentationNamesEveryMember(t *testing.T) {
	for page, documents := range map[string][]any{
		"../../docs/verifying.md":  {gate.Verification{}},
		"../../docs/publishing.md": {gate.Promotion{}},
		"../../docs/fleet.md":      {gate.Audit{}, gate.Find{}},
	} {
		text := read(t, page)
		for _, document := range documents {
			members := map[string]bool{}
			membersOf(reflect.TypeOf(document), members)
			if len(members) < 5 {
				t.Errorf("%T has only the members %v", document, members)
			}
			for name := range members {
				if !strings.Contains(text, "`"+name+"`") {
					t.Errorf("%s does not name the member %s of %T", page, name, document)
				}
			}
		}
	}
}

// membersOf collects the members of a document and of what is in it, except of what reports have too.
func membersOf(of reflect.Type, into map[string]bool) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		membersOf(of.Elem(), into)
		return
	case reflect.Struct:
	default:
		return
	}
	if path := of.PkgPath(); !strings.HasSuffix(path, "/core/gate") && !strings.HasSuffix(path, "/core/attest") {
		return
	}
	for _, field := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous || name == "-":
			continue
		case name == "":
			into["the field "+field.Name+", which has no name for documents"] = true
		default:
			into[name] = true
		}
		membersOf(field.Type, into)
	}
}
