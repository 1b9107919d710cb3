//go:build clients

package gate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cleanbill-ci/cleanbill/core/gate"
	"github.com/cleanbill-ci/cleanbill/core/policy"
	"github.com/cleanbill-ci/cleanbill/testdata/clients"
)

// TestClientWhatCosignAttestsIsFound attests SBOMs with cosign, in both of its forms, to images in olareg, with and
// without the API for referrers.
func TestClientWhatCosignAttestsIsFound(t *testing.T) {
	olareg, cosign := clients.Tool(t, "olareg"), clients.Tool(t, "cosign")
	dir := t.TempDir()
	env := []string{"COSIGN_PASSWORD=", "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	if out, code := clients.Run(t, dir, env, cosign, "generate-key-pair"); code != 0 {
		t.Fatal(out)
	}
	raw, err := json.Marshal(bill(exposed, harmless))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bill.json"), string(raw))
	for name, flags := range map[string][]string{
		"with the API for referrers":    {"--api-referrer=true"},
		"without the API for referrers": {"--api-referrer=false"},
	} {
		t.Run(name, func(t *testing.T) {
			host := serve(t, olareg, flags...)
			p := &port{t: t, host: host}
			for tag, form := range map[string]string{"old": "--new-bundle-format=false", "new": "--new-bundle-format=true"} {
				d := p.push("shop:"+tag, imageOf(t, tag, ""))
				out, code := clients.Run(t, dir, env, cosign, "attest", "--yes", "--key", "cosign.key", "--tlog-upload=false",
					"--type", "cyclonedx", "--predicate", "bill.json", "--allow-insecure-registry", form, fmt.Sprintf("%s/shop@%s", host, d))
				if code != 0 {
					t.Fatalf("%s: %s", tag, out)
				}
			}
			plan := gate.FleetPlan{Names: []string{host + "/shop"},
				Signers: gate.SignerFiles{Signers: []policy.Signer{{Key: filepath.Join(dir, "cosign.pub")}}}}
			f := find(t, exposed, plan)
			if len(f.Found) != 2 || !f.Complete {
				t.Errorf("found %d, gaps %s", len(f.Found), gaps(f.Gaps))
			}
			if got, want := decisions(audit(t, plan)), "shop:new refused, shop:old refused"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// serve runs a registry until the test ends.
func serve(t *testing.T, program string, flags ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, append([]string{"serve", "--addr", "127.0.0.1", "--port", fmt.Sprint(address.Port),
		"--store-type", "mem"}, flags...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	for range 100 {
		resp, err := http.Get("http://" + address.String() + "/v2/")
		if err == nil {
			resp.Body.Close()
			return address.String()
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the registry does not answer")
	return ""
}
