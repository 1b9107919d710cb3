package actions_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cleanbill-ci/cleanbill/core"
	"github.com/cleanbill-ci/cleanbill/core/gate"
)

func TestInputsSayWhereItIsPushedAndWhoSigns(t *testing.T) {
	for name, tc := range map[string]struct {
		env     map[string]string
		want    *gate.Publishing
		refused bool
	}{
		"nowhere": {map[string]string{"INPUT_KEY": "cosign.key"}, nil, false},
		"by the job's identity": {map[string]string{"INPUT_PUSH": "registry.example/app:1", "INPUT_PUBLIC_LOG": "true"},
			&gate.Publishing{Reference: "registry.example/app:1", Signing: gate.Signing{PublicLog: true}}, false},
		"by a key": {map[string]string{"INPUT_PUSH": "registry.example/app:1", "INPUT_KEY": "env://KEY", "CLEANBILL_TRUSTED_ROOT": "root.json",
			"INPUT_PROVENANCE": "false"},
			&gate.Publishing{Reference: "registry.example/app:1", Signing: gate.Signing{Key: "env://KEY", TrustedRoot: "root.json"}}, false},
		"an input before a variable": {map[string]string{"INPUT_PUSH": "registry.example/app:1", "INPUT_KEY": "env://KEY", "CLEANBILL_KEY": "other"},
			&gate.Publishing{Reference: "registry.example/app:1", Signing: gate.Signing{Key: "env://KEY"}}, false},
		"a consent that is none":       {map[string]string{"INPUT_PUSH": "registry.example/app:1", "INPUT_PUBLIC_LOG": "perhaps"}, nil, true},
		"provenance that is none":      {map[string]string{"INPUT_PUSH": "registry.example/app:1", "INPUT_PROVENANCE": "perhaps"}, nil, true},
		"provenance that nobody knows": {map[string]string{"INPUT_PUSH": "registry.example/app:1", "INPUT_PROVENANCE": "true"}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			for k, v := range tc.env {
				r.env[k] = v
			}
			plan, err := r.adapter().Plan(context.Background())
			if tc.refused {
				if !core.Usage(err) {
					t.Errorf("got %+v, %v", plan.Publish, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, plan.Publish); diff != "" {
				t.Errorf("publishing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatWasPushedIsAnOutput(t *testing.T) {
	r, result := newRunner(t), refused()
	index, platform := core.Digest("sha256:"+strings.Repeat("1", 64)), core.Digest("sha256:"+strings.Repeat("2", 64))
	result.Published = &gate.Published{Reference: "registry.example/app:1", Digest: index, Hosts: []string{"fulcio.example"},
		Attestations: []gate.Attested{
			{PredicateType: "https://spdx.dev/Document", Subject: index, Digest: "sha256:aa"},
			{PredicateType: "https://spdx.dev/Document", Subject: platform, Digest: "sha256:bb"},
			{Subject: index},
			{PredicateType: "https://slsa.dev/verification_summary/v1", Subject: index, Digest: "sha256:cc"},
		}}
	publish(t, r, result)
	got := r.outputs(t)
	if got["reference"] != "registry.example/app:1" ||
		got["attestations"] != "https://spdx.dev/Document=sha256:aa\nhttps://slsa.dev/verification_summary/v1=sha256:cc" {
		t.Errorf("outputs are %q and %q", got["reference"], got["attestations"])
	}
	if log := r.stdout.String(); !strings.Contains(log, "pushed      registry.example/app:1") || !strings.Contains(log, "asked       fulcio.example") {
		t.Errorf("the log does not say so\n%s", log)
	}
}
