package attest

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
	"github.com/cleanbill-ci/cleanbill/core/internal/network"
	"github.com/cleanbill-ci/cleanbill/core/internal/redact"
)

// plugin is a program that speaks with a key management service, so that the service's library is not a part of this one.
// The program is started here, and not by sigstore's library: that hands on the whole environment, and reads whatever
// comes without bounds.
//
// https://github.com/sigstore/sigstore/tree/main/pkg/signature/kms/cliplugin
type plugin struct {
	o       SignerOptions
	program string
	id      string
	env     []string
	secrets []string
}

// pluginPrefix begins the name of every such program.
const pluginPrefix = "sigstore-kms-"

// maxPlugin bounds what a program writes, in bytes.
const maxPlugin = 256 << 10

// commonVariables are those that every such program gets.
var commonVariables = []string{"PATH", "HOME", "TMPDIR", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY",
	"NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}

// pluginVariables are those that the programs of known services need: their credentials, and nobody else's.
var pluginVariables = map[string][]string{
	"awskms": {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ACCESS_KEY_ID",
		"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "AWS_CA_BUNDLE", "AWS_TLS_INSECURE_SKIP_VERIFY"},
	"gcpkms": {"GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT", "CLOUDSDK_CONFIG", "GCE_METADATA_HOST"},
	"azurekms": {"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH",
		"AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "AZURE_AUTH_METHOD", "AZURE_ENVIRONMENT",
		"AZURE_CONFIG_DIR", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET"},
}

// plugin finds the program of a service.
func (o SignerOptions) plugin(scheme, id string) (*plugin, error) {
	name := pluginPrefix + scheme
	p := &plugin{o: o, id: scheme + "://" + id}
	for _, folder := range filepath.SplitList(o.Getenv("PATH")) {
		at := filepath.Join(folder, name)
		info, err := os.Stat(at)
		if filepath.IsAbs(folder) && err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			p.program = at
			break
		}
	}
	if p.program == "" {
		return nil, advice.Misuse("install "+name+" into a folder of PATH, or check how the key is written",
			"the program %s, which speaks with that service, is in no folder of PATH", name)
	}
	for _, variable := range slices.Concat(commonVariables, pluginVariables[scheme], o.PluginVariables) {
		if !variableName.MatchString(variable) {
			return nil, advice.Misuse("write its name alone", "%q is not the name of a variable", variable)
		}
		value := o.Getenv(variable)
		if value == "" {
			continue
		}
		p.env = append(p.env, variable+"="+value)
		if !slices.Contains(commonVariables, variable) && len(value) >= 8 {
			p.secrets = append(p.secrets, value)
		}
		if u, err := url.Parse(value); err == nil && u.User != nil { // a proxy with a password
			password, _ := u.User.Password()
			p.secrets = append(p.secrets, u.User.String(), password)
		}
	}
	return p, nil
}

func (p *plugin) public(ctx context.Context) (crypto.PublicKey, error) {
	// It is asked before the key's kind is known, so that the hash is what such programs take for granted.
	answer, err := p.ask(ctx, nil, crypto.SHA256, &common.MethodArgs{MethodName: common.PublicKeyMethodName,
		PublicKey: &common.PublicKeyArgs{PublicKeyOptions: &common.PublicKeyOptions{}}})
	if err != nil {
		return nil, err
	}
	if answer.PublicKey == nil {
		return nil, fmt.Errorf("%s answers without a public key", filepath.Base(p.program))
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey(answer.PublicKey.PublicKeyPEM)
	if err != nil {
		return nil, fmt.Errorf("%s answers with a public key that cannot be read", filepath.Base(p.program))
	}
	return public, nil
}

func (p *plugin) sign(ctx context.Context, message, digest []byte, hash crypto.Hash) ([]byte, error) {
	options := common.MessageOptions{}
	if hash != crypto.Hash(0) {
		options = common.MessageOptions{Digest: &digest, HashFunc: &hash}
	}
	answer, err := p.ask(ctx, message, hash, &common.MethodArgs{MethodName: common.SignMessageMethodName,
		SignMessage: &common.SignMessageArgs{SignOptions: &common.SignOptions{MessageOptions: options}}})
	if err != nil {
		return nil, err
	}
	if answer.SignMessage == nil || len(answer.SignMessage.Signature) == 0 {
		return nil, fmt.Errorf("%s answers without a signature", filepath.Base(p.program))
	}
	return answer.SignMessage.Signature, nil
}

// ask runs the program for one answer.
func (p *plugin) ask(ctx context.Context, input []byte, hash crypto.Hash, method *common.MethodArgs) (*common.PluginResp, error) {
	ctx, cancel := context.WithTimeout(ctx, p.o.PluginTime)
	defer cancel()
	deadline, _ := ctx.Deadline()
	request, err := json.Marshal(common.PluginArgs{MethodArgs: method, InitOptions: &common.InitOptions{CtxDeadline: &deadline,
		ProtocolVersion: common.ProtocolVersion, KeyResourceID: p.id, HashFunc: hash, RPCOptions: &common.RPCOptions{}}})
	if err != nil {
		return nil, err
	}
	name := filepath.Base(p.program)
	out, said := &bounded{most: maxPlugin, full: cancel}, &bounded{most: maxPlugin}
	cmd := exec.CommandContext(ctx, p.program, common.ProtocolVersion, string(request))
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.env, "/", bytes.NewReader(input), out, said
	cmd.WaitDelay = 2 * time.Second
	alone(cmd)
	err = cmd.Run()
	switch {
	case out.over:
		return nil, fmt.Errorf("%s answers with more than %d bytes", name, maxPlugin)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, advice.Unavailable("check that it reaches its service", "%s did not answer within %s", name, p.o.PluginTime)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	var answer common.PluginResp
	if json.Unmarshal(out.kept.Bytes(), &answer) != nil {
		text := "which is no answer"
		if err != nil {
			text = "and no answer: " + err.Error()
		}
		return nil, p.told(fmt.Errorf("%s ends with %d bytes, %s", name, out.kept.Len(), text), said)
	}
	if answer.ErrorMessage != "" {
		return nil, p.told(fmt.Errorf("%s: %s", name, p.shown(answer.ErrorMessage)), said)
	}
	if err != nil {
		return nil, p.told(fmt.Errorf("%s: %w", name, err), said)
	}
	return &answer, nil
}

// told adds what a program wrote to its standard error, without the secrets that it was given.
func (p *plugin) told(err error, said *bounded) error {
	if text := strings.TrimSpace(said.kept.String()); text != "" {
		err = fmt.Errorf("%w; it says: %s", err, p.shown(text))
	}
	return err
}

// shown is foreign text without secrets. They are taken out before anything is cut off, because half of one would not be
// recognised.
func (p *plugin) shown(text string) string {
	return redact.Limited(network.Without(p.secrets, text), 300)
}

// bounded keeps the first bytes that are written. The buffer is no embedded one, which would be filled past the bound.
type bounded struct {
	kept bytes.Buffer
	most int
	over bool
	full func() // after the first byte too many; nil to let the rest go
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if room := b.most - b.kept.Len(); len(p) > room {
		b.kept.Write(p[:room])
		b.over = true
		if b.full != nil {
			b.full()
			return 0, io.ErrShortWrite
		}
		return len(p), nil
	}
	return b.kept.Write(p)
}
