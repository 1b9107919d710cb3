package compose

import (
	"testing"

	"github.com/cleanbill-ci/cleanbill/core"
)

// service is a file with one service.
func serviceWith(fields string) string { return "services:\n  a: {" + fields + "}\n" }

func TestFilesAreKnownByTheirNames(t *testing.T) {
	for name, want := range map[string]bool{
		"compose.yaml": true, "a/docker-compose.prod.yml": true, "composer.json": false, "docker-compose.md": false,
		"services.yml": false,
	} {
		if Wants(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestPrivilegedServicesAreFound(t *testing.T) {
	family.Flags(t, "compose-privileged", serviceWith("privileged: true"), serviceWith("privileged: yes"),
		"x-a: &a {privileged: true}\nservices: {a: {<<: "+
			"*a}}\n")
	family.Spares(t, "compose-privileged", serviceWith("privileged: false"), serviceWith("image: 'a:1'"))
}

func TestSocketsOfEnginesAreFound(t *testing.T) {
	family.Flags(t, "compose-engine-socket", serviceWith("volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']"),
		serviceWith("volumes: [{type: bind, source: /run/podman/podman.sock, target: /x}]"))
	family.Spares(t, "compose-engine-socket", serviceWith("volumes: ['data:/var/run/docker.sock']"))
}

func TestPathsThatGiveTheHostAwayAreFound(t *testing.T) {
	family.Flags(t, "compose-host-path", serviceWith("volumes: ['/:/host']"), serviceWith("volumes: ['/etc:/x']"))
	family.Spares(t, "compose-host-path", serviceWith("volumes: ['./data:/x', 'v:/y', '/srv/app:/z']"),
		serviceWith("volumes: ['/etc/localtime:/etc/localtime:ro']"))
}

func TestNamespacesOfTheHostAreFound(t *testing.T) {
	family.Flags(t, "compose-host-namespaces", serviceWith("network_mode: host"), serviceWith("pid: host"),
		serviceWith("ipc: host"))
	family.Spares(t, "compose-host-namespaces", serviceWith("network_mode: bridge"), serviceWith("pid: 'service:b'"))
}

func TestCapabilitiesAreFound(t *testing.T) {
	family.Flags(t, "compose-capabilities", serviceWith("cap_add: [SYS_ADMIN]"), serviceWith("cap_add: [CAP_NET_ADMIN]"))
	family.Spares(t, "compose-capabilities", serviceWith("cap_add: [CHOWN], cap_drop: [ALL]"))
	family.Is(t, "compose-capabilities", serviceWith("cap_add: [net_admin]"), core.SeverityMedium, 2)
}

func TestProtectionsThatAreSwitchedOffAreFound(t *testing.T) {
	family.Flags(t, "compose-unconfined", serviceWith("security_opt: ['seccomp:unconfined']"),
		serviceWith("security_opt: [apparmor=unconfined]"), serviceWith("security_opt: [label=disable]"))
	family.Spares(t, "compose-unconfined", serviceWith("security_opt: ['no-new-privileges:true']"))
}

func TestSecretsInVariablesAreFound(t *testing.T) {
	family.Flags(t, "compose-secret-variable", serviceWith("environment: {DB_PASSWORD: hunter22}"),
		serviceWith("environment: [DB_PASSWORD=hunter22]"))
	family.Spares(t, "compose-secret-variable", serviceWith("environment: {DB_PASSWORD: '${DB_PASSWORD}', A: b}"),
		serviceWith("environment: [DB_PASSWORD]"), serviceWith("environment: {DB_PASSWORD_FILE: /run/secrets/x}"))
}

func TestPublishedPortsOfAdministrationAreFound(t *testing.T) {
	family.Flags(t, "compose-admin-port", serviceWith("ports: ['2222:22']"), serviceWith("ports: ['5432:5432']"),
		serviceWith("ports: [{target: 6379, published: 6379}]"), serviceWith("ports: ['22']"))
	family.Spares(t, "compose-admin-port", serviceWith("ports: ['127.0.0.1:5432:5432', '8080:80']"),
		serviceWith("ports: [{target: 22, host_ip: 127.0.0.1}]"))
}

func TestLatestImagesAreFound(t *testing.T) {
	family.Flags(t, "compose-latest-image", serviceWith("image: nginx"), serviceWith("image: 'r.example/a:latest'"))
	family.Spares(t, "compose-latest-image", serviceWith("image: 'nginx:1'"), serviceWith("image: app, build: ."),
		serviceWith("image: '${IMAGE}'"))
}

func TestServicesThatRunAsRootAreFound(t *testing.T) {
	family.Flags(t, "compose-missing-user", serviceWith("image: 'a:1'"), serviceWith("image: 'a:1', user: root"))
	family.Spares(t, "compose-missing-user", serviceWith("image: 'a:1', user: '1000:1000'"), serviceWith("build: ."))
}
