package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
)

func TestOSReleaseIsReadAsAShellWould(t *testing.T) {
	d, err := parseOSRelease([]byte("# comment\n ID=debian \nID_LIKE=\"a b\"\nPRETTY_NAME=\"Say \\\"hi\\\" \\$5\"\nVERSION_ID='12'\nVERSION_CODENAME=book\\worm\nJUNK\n"))
	want := core.Distro{
		ID: "debian", IDLike: []string{"a", "b"}, PrettyName: `Say "hi" $5`, VersionID: "12", Codename: "bookworm", Ecosystem: "Debian:12",
	}
	if diff := cmp.Diff(want, d); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if d, err := parseOSRelease(nil); err != nil || d.ID != "linux" {
		t.Errorf("empty: %+v, %v", d, err)
	}
	if _, err := parseOSRelease([]byte("ID=debian\x1b[2J")); err == nil {
		t.Error("a terminal's escape sequence is taken for a name")
	}
}

func FuzzOSRelease(f *testing.F) {
	f.Add([]byte("ID=debian\nVERSION_ID=\"12\"\n"))
	f.Add([]byte("ID='\nVERSION_ID=\\"))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := parseOSRelease(content)
		if err == nil && believable("id", d.ID+d.VersionID+d.PrettyName, 10*maxVersion) != nil {
			t.Errorf("%+v is no text", d)
		}
	})
}
