package known

import "testing"

func TestNamesOfSecretsAreKnownByTheirWords(t *testing.T) {
	for name, want := range map[string]bool{
		"DB_PASSWORD": true, "API_KEY": true, "apiKey": true, "AWS_SECRET_ACCESS_KEY": true, "GITHUB_TOKEN": true,
		"dbPassword": true,
		"PGPASSWD":   false, "TOKEN_FILE": false, "MAX_TOKENS": false, "SECRET_NAME": false, "GPG_KEY": false,
		"PUBLIC_KEY":             false,
		"TOKENIZERS_PARALLELISM": false, "PATH": false, "": false, "ACCESS_KEY_ID": false, "PASSWORD_MIN_LENGTH": false,
		"PWD": true,
	} {
		if SecretName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestPlaceholdersAreNoLiterals(t *testing.T) {
	for value, want := range map[string]bool{
		"hunter22": true, "${X}": false, "": false, "<your token>": false, "true": false, "{{ .x }}": false, "****": false,
		"/run/secrets/x": false, "12": false, "12345678": true, "changeme": false,
	} {
		if Literal(value) != want {
			t.Errorf("%q: %v", value, !want)
		}
	}
}

func TestCredentialsAreKnownByTheirForm(t *testing.T) {
	if !SecretValue("ghp_"+"012345678901234567890123456789012345") || SecretValue("ghp_short") ||
		!SecretValue("x AKIA"+"ABCDEFGHIJKLMNOP y") {
		t.Error("wrong answers")
	}
}

func TestPartsOfNames(t *testing.T) {
	for s, want := range map[string]Reference{
		"alpine": {"alpine", "", ""}, "r.example:5000/a/b": {"r.example:5000/a/b", "", ""}, "a:1@sha256:x": {"a", "1",
			"sha256:x"},
		"r.example:5000/a:latest": {"r.example:5000/a", "latest", ""},
	} {
		if got := ParseReference(s); got != want {
			t.Errorf("%q: %+v", s, got)
		}
	}
	if !Root("0:0") || !Root("root") || Root("") || Root("1000") || !Root("000") {
		t.Error("root is not told")
	}
	if AdminPort("22/udp") != "" || AdminPort("20-30") != "SSH" || AdminPort("$PORT") != "" || AdminPort("8080") != "" {
		t.Error("ports are not told")
	}
	if !EngineSocket("/var/run/docker.sock") || !EngineSocket("/run/containerd") || EngineSocket("/var/run/secrets") ||
		!HostPath("/") || HostPath("/data") {
		t.Error("paths are not told")
	}
}
