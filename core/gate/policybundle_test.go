package gate

import (
	"strings"
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/policy"
)

// A bundle comes from elsewhere: what it names is in it or nowhere.
func TestWhatABundleNamesIsInTheBundle(t *testing.T) {
	const bundle = "oci://r.example/p@sha256:0"
	places := &policyPlaces{bundles: map[string]*policyBundle{bundle: {reference: bundle, files: map[string][]byte{"a": []byte("a"), "dir/b": []byte("b")}}}}
	for _, tt := range []struct {
		from, name, want string
	}{
		{bundle, "a", "a"}, {bundle, "./dir/b", "b"}, {bundle + "//dir", "b", "b"}, {bundle + "//dir", "../a", "a"},
		{bundle, "c", ""}, {bundle, "../a", ""}, {bundle, "/etc/passwd", ""}, {bundle + "//dir", "../../a", ""}, {bundle, "", ""},
		{bundle + "//dir", "/a", ""},
	} {
		got, err := places.File(policy.File{Name: tt.name, From: tt.from}, 10)
		if string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q beside %q: %q, %v", tt.name, tt.from, got, err)
		}
	}
}

func TestWhatIsNoBundleIsRefusedBeforeItIsFetched(t *testing.T) {
	digest := core.Digest("sha256:" + strings.Repeat("0", 64))
	layer := func(mediaType, title string, size int64) bundleBlob {
		return bundleBlob{MediaType: mediaType, Digest: digest, Size: size, Annotations: bundleLabels{titleAnnotation: title}}
	}
	first := layer(policyArtifact, "policy.yaml", 10)
	for name, tt := range map[string]struct {
		m    bundleManifest
		says string
	}{
		"as it should be":     {bundleManifest{Layers: []bundleBlob{first, layer(policyFile, "keys/a.pub", 1)}}, ""},
		"one file, no title":  {bundleManifest{ArtifactType: policyArtifact, Layers: []bundleBlob{{MediaType: policyArtifact, Digest: digest, Size: 1}}}, ""},
		"nothing":             {bundleManifest{}, "not a policy bundle"},
		"another type":        {bundleManifest{ArtifactType: "application/x", Layers: []bundleBlob{first}}, "not a policy bundle"},
		"another first layer": {bundleManifest{Layers: []bundleBlob{layer(policyFile, "a", 1), first}}, "not a policy bundle"},
		"a huge file":         {bundleManifest{Layers: []bundleBlob{first, layer(policyFile, "a", 1<<40)}}, "more than"},
		"huge together":       {bundleManifest{Layers: []bundleBlob{first, layer(policyFile, "a", maxBundle-5)}}, "more than"},
		"a negative size":     {bundleManifest{Layers: []bundleBlob{layer(policyArtifact, "a", -1)}}, "more than"},
		"many files":          {bundleManifest{Layers: append([]bundleBlob{first}, make([]bundleBlob, maxBundleFiles)...)}, "can have"},
		"a path upwards":      {bundleManifest{Layers: []bundleBlob{first, layer(policyFile, "../a", 1)}}, "no path of a file"},
		"an absolute path":    {bundleManifest{Layers: []bundleBlob{first, layer(policyFile, "/a", 1)}}, "no path of a file"},
		"no path":             {bundleManifest{Layers: []bundleBlob{first, layer(policyFile, "", 1)}}, "no path of a file"},
		"a path twice":        {bundleManifest{Layers: []bundleBlob{first, layer(policyFile, "policy.yaml", 1)}}, "two files"},
		"no digest":           {bundleManifest{Layers: []bundleBlob{{MediaType: policyArtifact, Size: 1}}}, "not a digest"},
	} {
		err := tt.m.check()
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
}
