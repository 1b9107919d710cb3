package attest

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/cleanbill-ci/cleanbill/core/internal/advice"
)

// vault signs with a key of a transit engine of HashiCorp Vault or OpenBao. The two requests are made here: the library
// for it reads the environment itself, and writes to the standard log.
//
// https://developer.hashicorp.com/vault/api-docs/secret/transit
type vault struct {
	o         SignerOptions
	url       *url.URL
	token     string
	namespace string
	engine    string
	key       string
	version   int64 // of the key, after public
}

var (
	vaultKey    = regexp.MustCompile(`^\w(?:[\w.-]*\w)?$`)
	vaultEngine = regexp.MustCompile(`^[\w-]+(?:/[\w-]+)*$`)
)

// vault reads where it is, as its own programs do.
func (o SignerOptions) vault(key string) (*vault, error) {
	if !vaultKey.MatchString(key) {
		return nil, advice.Misuse("write hashivault://KEY", "it does not name a key of Vault")
	}
	address := cmp.Or(o.Getenv("VAULT_ADDR"), o.Getenv("BAO_ADDR"))
	if address == "" {
		return nil, advice.Misuse("set VAULT_ADDR to its address", "nothing says where Vault is")
	}
	u, err := serviceURL("VAULT_ADDR", address)
	if err != nil {
		return nil, err
	}
	v := &vault{o: o, url: u, key: key, namespace: cmp.Or(o.Getenv("VAULT_NAMESPACE"), o.Getenv("BAO_NAMESPACE")),
		engine: strings.Trim(cmp.Or(o.Getenv("TRANSIT_SECRET_ENGINE_PATH"), "transit"), "/"),
		token:  cmp.Or(o.Getenv("VAULT_TOKEN"), o.Getenv("BAO_TOKEN"))}
	if !vaultEngine.MatchString(v.engine) {
		return nil, advice.Misuse("set it to the path of the engine, such as transit", "TRANSIT_SECRET_ENGINE_PATH names no engine")
	}
	if home := o.Getenv("HOME"); v.token == "" && home != "" {
		if text, err := secretFile(filepath.Join(home, ".vault-token")); err == nil {
			v.token = strings.TrimSpace(string(text))
		}
	}
	if v.token == "" || strings.ContainsAny(v.token, "\r\n") {
		return nil, advice.Misuse("set VAULT_TOKEN, or log in with: vault login", "there is no token for Vault")
	}
	return v, nil
}

func (v *vault) public(ctx context.Context) (crypto.PublicKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.at("keys").String(), nil)
	if err != nil {
		return nil, errors.New("make a request")
	}
	var answer struct {
		Latest int64 `json:"latest_version"`
		Keys   map[string]struct {
			Name   string `json:"name"`
			Public string `json:"public_key"`
		} `json:"keys"`
	}
	if err := v.ask(ctx, req, &answer); err != nil {
		return nil, err
	}
	key, ok := answer.Keys[strconv.FormatInt(answer.Latest, 10)]
	if !ok || key.Public == "" {
		return nil, errors.New("it is not a pair of keys that signs; make one with: vault write transit/keys/NAME type=ecdsa-p256")
	}
	v.version = answer.Latest
	if key.Name == "ed25519" {
		raw, err := base64.StdEncoding.DecodeString(key.Public)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("its public key cannot be read")
		}
		return ed25519.PublicKey(raw), nil
	}
	public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(key.Public))
	if err != nil {
		return nil, errors.New("its public key cannot be read")
	}
	return public, nil
}

func (v *vault) sign(ctx context.Context, _, digest []byte, hash crypto.Hash) ([]byte, error) {
	name, ok := map[crypto.Hash]string{0: "", crypto.SHA256: "sha2-256", crypto.SHA384: "sha2-384", crypto.SHA512: "sha2-512"}[hash]
	if !ok {
		return nil, fmt.Errorf("vault does not sign digests of %s", hash)
	}
	req, err := post(ctx, v.at("sign"), name, map[string]any{"input": base64.StdEncoding.EncodeToString(digest),
		"prehashed": hash != 0, "key_version": v.version, "signature_algorithm": "pkcs1v15"})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Signature string `json:"signature"`
	}
	if err := v.ask(ctx, req, &answer); err != nil {
		return nil, err
	}
	parts := strings.SplitN(answer.Signature, ":", 3)
	if len(parts) == 3 && parts[0] == "vault" {
		if made, err := base64.StdEncoding.DecodeString(parts[2]); err == nil {
			return made, nil
		}
	}
	return nil, errors.New("vault answers without a signature")
}

// at is the address of a function of the engine for the key.
func (v *vault) at(function string) *url.URL { return v.url.JoinPath("v1", v.engine, function, v.key) }

func (v *vault) ask(ctx context.Context, req *http.Request, into any) error {
	req.Header.Set("X-Vault-Token", v.token)
	req.Header.Set("X-Vault-Request", "true")
	if v.namespace != "" {
		req.Header.Set("X-Vault-Namespace", v.namespace)
	}
	body, _, _, err := v.o.ask(ctx, req, []string{v.token}, http.StatusOK)
	if err != nil {
		return &advice.Error{Err: err, Hint: fmt.Sprintf(
			"check VAULT_ADDR and that the token may read %[1]s/keys/%[2]s and update %[1]s/sign/%[2]s", v.engine, v.key)}
	}
	if json.Unmarshal(body, &struct {
		Data any `json:"data"`
	}{into}) != nil {
		return fmt.Errorf("%s does not answer as Vault does", v.url.Host)
	}
	return nil
}
