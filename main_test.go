package main

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run this program as the command cleanbill.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cleanbill": main})
}

// TestScript runs the command line as a user does. Each script in testdata/script is one story.
func TestScript(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("REPOSITORY", root)
			env.Setenv("EXAMPLE", filepath.Join(root, "examples", "image"))
			env.Setenv("REGISTRY", strings.TrimPrefix(server.URL, "http://"))
			env.Setenv("CLEANBILL_CACHE_DIR", filepath.Join(env.WorkDir, ".cache"))
			env.Setenv("LANG", "C.UTF-8")
			env.Setenv("CLEANBILL_ADVISORIES", "starter") // tests need no network
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"shownin":    shownin,
			"exports":    exports,
			"damage":     damage,
			"subject":    subject,
			"keypair":    keypair,
			"cleanimage": cleanimage,
		},
	})
}
