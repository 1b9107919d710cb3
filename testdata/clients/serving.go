package clients

import (
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Serving starts a registry on a free port of this machine and returns its address when it answers. It ends with the test.
func Serving(t testing.TB, start func(port string) *exec.Cmd) string {
	t.Helper()
	port := freePort(t)
	cmd := start(port)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	host := "127.0.0.1:" + port
	for {
		resp, err := http.Get("http://" + host + "/v2/")
		if err == nil {
			resp.Body.Close()
			return host
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
