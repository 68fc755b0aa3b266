// SPDX-License-Identifier: Apache-2.0

// Package kubeconfig reads the kubeconfig of a member cluster from a Secret, in the keys of multicluster-runtime, Cluster
// API and the cluster inventory. Whoever may write such a Secret must not thereby run programs or read files in the hub,
// or make it talk to an unverified server, so everything that would do that is refused rather than ignored.
//
// What is accepted: an https server, verified by the CA in the kubeconfig or, without one, by those that the hub's system
// trusts (which managed clusters with public certificates need); a tls-server-name; a token, a client certificate with
// key, or a user name with password; a proxy-url, because TLS goes through it to the member, so that it sees no credential.
// Of several contexts only the current one is looked at.
package kubeconfig

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Keys are those in which a kubeconfig is looked for, in this order, when no key is named: those of multicluster-runtime,
// Cluster API and the cluster inventory's Secret strategy.
func Keys() []string { return []string{"kubeconfig", "value", "Config"} }

// Parse returns the configuration of the kubeconfig in a Secret's key; "": the first of Keys that is there. It sets no
// time-out, rate limit or user agent. An error is one sentence that names the Secret and the key, and has nothing of what
// is in it, not even names: a status may show it.
func Parse(secret *corev1.Secret, key string) (*rest.Config, error) {
	text, key, err := find(secret, key)
	if err != nil {
		return nil, err
	}
	config, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig in key %q of Secret %s/%s %w", key, secret.Namespace, secret.Name, err)
	}
	return config, nil
}

// Client is the HTTP client of a connection. It follows no redirect: that would take the credential along, wherever a
// member, or whoever stands in front of it, says.
func Client(config *rest.Config) (*http.Client, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("no client can be made of the kubeconfig: %w", err)
	}
	own := *client // it may be http.DefaultClient
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own, nil
}

// Hash changes with what Parse reads, so that a rotated credential is noticed; "" if there is none. Do not publish it: a
// weak password could be guessed from it.
func Hash(secret *corev1.Secret, key string) string {
	text, _, err := find(secret, key)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func find(secret *corev1.Secret, key string) (text []byte, found string, err error) {
	if secret == nil {
		return nil, "", errors.New("there is no Secret with a kubeconfig: name one that exists")
	}
	keys := Keys()
	if key != "" {
		keys = []string{key}
	}
	for _, k := range keys {
		text, ok := secret.Data[k]
		switch {
		case ok && len(text) == 0:
			return nil, "", fmt.Errorf("key %q of Secret %s/%s is empty: put a kubeconfig into it", k, secret.Namespace, secret.Name)
		case ok:
			return text, k, nil
		}
	}
	if key != "" {
		return nil, "", fmt.Errorf("there is no key %q in Secret %s/%s: add it, or name the key that has the kubeconfig", key, secret.Namespace, secret.Name)
	}
	return nil, "", fmt.Errorf("there is none of the keys %s in Secret %s/%s: name the key that has the kubeconfig", strings.Join(keys, ", "), secret.Namespace, secret.Name)
}

// line is what may be told of a parser's error: the rest can quote the text.
var line = regexp.MustCompile(`\bline [0-9]{1,9}\b`)

func parse(text []byte) (*rest.Config, error) {
	all, err := clientcmd.Load(text)
	if err != nil {
		where := line.FindString(err.Error())
		if where != "" {
			where = " near " + where // parsers count from 0 or 1
		}
		return nil, errors.New("cannot be read" + where + ": try it with kubectl --kubeconfig")
	}
	if all.CurrentContext == "" {
		return nil, errors.New("has no current-context: set it")
	}
	context := all.Contexts[all.CurrentContext]
	if context == nil {
		return nil, errors.New("has a current-context that is none of its contexts: correct it")
	}
	cluster, user := all.Clusters[context.Cluster], all.AuthInfos[context.AuthInfo]
	if cluster == nil || user == nil {
		return nil, errors.New("has a current context whose cluster or user is not in it: correct it")
	}
	if err := refuse(cluster, user); err != nil {
		return nil, err
	}
	return build(cluster, user)
}

// refuse returns an error for what would run a program, read a file, trust anybody or act as somebody else.
func refuse(cluster *api.Cluster, user *api.AuthInfo) error {
	for _, each := range []struct {
		there       bool
		field, then string
	}{
		{user.Exec != nil, "exec", "which would run a program in the hub: use a token or a client certificate"},
		{user.AuthProvider != nil, "auth-provider", "which client-go no longer has: use a token or a client certificate"},
		{user.TokenFile != "", "tokenFile", "which would read a file of the hub: put it in token"},
		{user.ClientCertificate != "", "client-certificate", "which would read a file of the hub: put it in client-certificate-data"},
		{user.ClientKey != "", "client-key", "which would read a file of the hub: put it in client-key-data"},
		{cluster.CertificateAuthority != "", "certificate-authority", "which would read a file of the hub: put it in certificate-authority-data"},
		{cluster.InsecureSkipTLSVerify, "insecure-skip-tls-verify", "with which anybody could be the server: put its CA in certificate-authority-data"},
		{user.Impersonate != "", "as", "and Plimsoll acts as nobody else: use a credential of its own"},
		{user.ImpersonateUID != "", "as-uid", "and Plimsoll acts as nobody else: use a credential of its own"},
		{len(user.ImpersonateGroups) > 0, "as-groups", "and Plimsoll acts as nobody else: use a credential of its own"},
		{len(user.ImpersonateUserExtra) > 0, "as-user-extra", "and Plimsoll acts as nobody else: use a credential of its own"},
	} {
		if each.there {
			return fmt.Errorf("has %s, %s", each.field, each.then)
		}
	}
	return nil
}
