package dockerfile

import (
	"strings"
	"testing"
)

const base = "FROM alpine:3.20@sha256:0123456789012345678901234567890123456789012345678901234567890123\n"

func TestRootInTheLastStageIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-root-user", "FROM alpine\n", "FROM alpine\nUSER 1\nUSER root\n",
		"FROM a AS b\nUSER 1\nFROM b\nUSER 0:0\n",
		"FROM alpine AS build\nUSER 1\nFROM alpine\nCOPY --from=build /a /a\n", "FROM alpine\nARG U=root\nUSER $U\n")
	family.Spares(t, "dockerfile-root-user", "FROM alpine\nUSER 1000\n", "FROM alpine AS x\nUSER app\nFROM x\n",
		"FROM gcr.io/distroless/static:nonroot\n",
		"FROM alpine\nUSER root\nRUN true\nUSER app\n", "FROM alpine\nONBUILD USER root\nUSER 1\n")
}

func TestLatestBaseIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-latest-base", "FROM alpine\n", "FROM alpine:latest\n", "ARG V=latest\nFROM alpine:$V\n",
		"FROM a:1 AS x\nFROM x\nCOPY --from=r.example/tool /a /a\n")
	family.Spares(t, "dockerfile-latest-base", "FROM alpine:3.20\n", "FROM scratch\n", "FROM a:1 AS x\nFROM x\n",
		"ARG B\nFROM $B\n", base)
}

func TestUnpinnedBaseIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-unpinned-base", "FROM alpine:3.20\n", "ARG B\nFROM $B\n",
		base+"RUN --mount=type=bind,from=r.example/x:1,target=/x true\n")
	family.Spares(t, "dockerfile-unpinned-base", base, "FROM alpine\n", "FROM scratch\nCOPY --from=context /a /a\n")
}

func TestADDOfAnAddressIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-add-url", base+"ADD https://x.example/a.tgz /a\n", base+"ADD https://x.example/a.git#main /a\n",
		base+"ARG U=https://x.example\nADD $U/a /a\n")
	family.Spares(t, "dockerfile-add-url", base+"ADD a.tgz /a\n",
		base+"ADD --checksum=sha256:0123456789012345678901234567890123456789012345678901234567890123 "+
			"https://x.example/a.tgz /a\n",
		base+"ADD https://x.example/a.git#0123456789012345678901234567890123456789 /a\n")
}

func TestCredentialsInAnAddressAreNotShown(t *testing.T) {
	got := family.Found(t, "dockerfile-add-url", base+"ADD https://user:hunter22@x.example/a?token=hunter22 /a\n")
	if len(got) != 1 || strings.Contains(got[0].Title, "hunter22") {
		t.Errorf("%+v", got)
	}
}

func TestCurlPipeShellIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-curl-pipe-shell", base+"RUN curl -fsSL https://x.example/i | sh\n",
		base+"RUN [\"bash\", \"-c\", \"curl x | bash\"]\n",
		base+"RUN <<EOF\nwget -qO- https://x.example | sh\nEOF\n", base+"ONBUILD RUN curl x | sh\n")
	family.Spares(t, "dockerfile-curl-pipe-shell", base+"RUN curl -fsSL https://x.example/a.tgz | tar xz\n",
		base+"RUN [\"curl\", \"x\", \"|\", \"sh\"]\n")
}

func TestUnverifiedDownloadIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-unverified-download", base+"RUN curl -k https://x.example\n",
		base+"ENV NODE_TLS_REJECT_UNAUTHORIZED=0\n")
	family.Spares(t, "dockerfile-unverified-download", base+"RUN curl -f https://x.example\n",
		base+"ENV NODE_TLS_REJECT_UNAUTHORIZED=1\n")
}

func TestSecretsInVariablesAreFoundAndNotShown(t *testing.T) {
	family.Flags(t, "dockerfile-secret-variable", base+"ENV DB_PASSWORD=hunter22\n", base+"ARG TOKEN\n",
		base+"ARG API_KEY=abcdef123\n", base+"ENV X=glpat-"+"abcdefghij0123456789\n")
	family.Spares(t, "dockerfile-secret-variable", base+"ENV DB_PASSWORD_FILE=/run/x\n", base+"ENV PATH=/x\n",
		base+"ENV DB_PASSWORD=\n", base+"ARG GPG_KEY=1\n")
	one, two := family.Found(t, "dockerfile-secret-variable", base+"ENV DB_PASSWORD=hunter22\n")[0], family.Found(t,
		"dockerfile-secret-variable", base+"ENV DB_PASSWORD=hunter23\n")[0]
	if one.Title != two.Title || one.Fingerprint != two.Fingerprint {
		t.Error("the secret shows")
	}
}

func TestCopiedCredentialsAreFound(t *testing.T) {
	family.Flags(t, "dockerfile-copy-secret", base+"COPY .npmrc /root/\n", base+"ADD id_rsa /k\n", base+"COPY a/.git /x\n",
		base+"COPY .env.production /x\n")
	family.Spares(t, "dockerfile-copy-secret", base+"COPY .env.example /x\n", base+"COPY --from=x .npmrc /x\n",
		base+"COPY src /x\n")
}

func TestFixedPasswordsAreFound(t *testing.T) {
	family.Flags(t, "dockerfile-password", base+"RUN echo root:x | chpasswd\n", base+"RUN useradd -p abc app\n")
	family.Spares(t, "dockerfile-password", base+"RUN useradd -p '*' app\n", base+"RUN adduser -D app\n",
		base+"RUN passwd -l root\n")
}

func TestSudoIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-sudo", base+"RUN sudo ls\n", base+"RUN apt-get install -y sudo\n")
	family.Spares(t, "dockerfile-sudo", base+"RUN ls sudo\n", base+"RUN echo sudo\n",
		"FROM a AS b\nRUN apt-get install -y sudo\nFROM c\n")
}

func TestPortsOfAdministrationAreFound(t *testing.T) {
	family.Flags(t, "dockerfile-admin-port", base+"EXPOSE 22\n", base+"EXPOSE 80 2375/tcp\n", base+"ARG P=22\nEXPOSE $P\n",
		base+"EXPOSE 20-25\n")
	family.Spares(t, "dockerfile-admin-port", base+"EXPOSE 8080\n", "FROM a AS b\nEXPOSE 22\nFROM c\n")
}

func TestSetuidIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-setuid", base+"RUN chmod u+s /bin/x\n", base+"COPY --chmod=4755 x /x\n")
	family.Spares(t, "dockerfile-setuid", base+"RUN chmod 755 /bin/x\n", base+"RUN find / -perm /6000 -exec chmod a-s {} +\n")
}

func TestWorldWritableIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-world-writable", base+"RUN chmod -R 777 /app\n", base+"ADD --chmod=666 x /x\n")
	family.Spares(t, "dockerfile-world-writable", base+"RUN chmod 1777 /tmp\n", base+"COPY --chmod=755 x /x\n")
}

func TestInsecureRunIsFound(t *testing.T) {
	family.Flags(t, "dockerfile-insecure-run", base+"RUN --security=insecure true\n", base+"RUN --network=host true\n")
	family.Spares(t, "dockerfile-insecure-run", base+"RUN --network=none true\n", base+"RUN true\n")
}

func TestTheWholeContextIsFoundUnlessGitIsKeptOut(t *testing.T) {
	family.Flags(t, "dockerfile-copy-context", base+"COPY . /app\n", base+"ADD ./ /app\n")
	family.Spares(t, "dockerfile-copy-context", base+"COPY src /app\n", "FROM a AS b\nCOPY . .\nFROM c\nCOPY --from=b /x /x\n",
		base+"COPY --from=x . .\n")
	for ignore, want := range map[string]int{".git\n": 0, "**/.git\n": 0, "*\n!src\n": 0, "node_modules\n": 1,
		".git\n!.git\n": 1, "": 1, "# .git": 1} {
		got := 0
		for _, f := range examineWith(t, base+"COPY . /app\n", []byte(ignore)).Findings {
			if f.Rule == "dockerfile-copy-context" {
				got++
			}
		}
		if got != want {
			t.Errorf("%q: %d", ignore, got)
		}
	}
}

func TestPackageCachesAreFound(t *testing.T) {
	family.Flags(t, "dockerfile-package-cache", base+"RUN apt-get update && apt-get install -y curl\n", base+"RUN apk add curl\n",
		base+"RUN dnf install -y curl\n")
	family.Spares(t, "dockerfile-package-cache", base+"RUN apt-get install -y curl && rm -rf /var/lib/apt/lists/*\n",
		base+"RUN apk add --no-cache curl\n",
		base+"RUN dnf install -y curl && dnf clean all\n", base+"RUN --mount=type=cache,target=/var/cache/apt apt-get "+
			"install -y curl\n",
		"FROM a AS b\nRUN apk add curl\nFROM c\n")
}

func TestMissingHealthchecksAreFound(t *testing.T) {
	family.Flags(t, "dockerfile-missing-healthcheck", base+"EXPOSE 80\n")
	family.Spares(t, "dockerfile-missing-healthcheck", base+"EXPOSE 80\nHEALTHCHECK CMD true\n",
		base+"EXPOSE 80\nHEALTHCHECK NONE\n", base, "FROM a AS b\nHEALTHCHECK CMD x\nFROM b\nEXPOSE 80\n")
}
