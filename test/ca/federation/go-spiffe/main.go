// A trust domain that knows nothing of Gatehouse: it fetches a bundle, or publishes one, by go-spiffe.
// Usage: go run . fetch-spiffe DOMAIN URL ENDPOINT_ID BUNDLE_FILE | fetch-web DOMAIN URL ROOTS_FILE | serve DOMAIN BUNDLE_FILE CERT KEY
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func say(bundle *spiffebundle.Bundle) {
	sequence, _ := bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	line, err := json.Marshal(map[string]any{
		"event":   "bundle",
		"domain":  bundle.TrustDomain().Name(),
		"roots":   len(bundle.X509Authorities()),
		"keys":    len(bundle.JWTAuthorities()),
		"serials": sequence,
		"seconds": hint.Seconds(),
	})
	check("json", err)
	fmt.Println(string(line))
}

func main() {
	args := os.Args[1:]
	domain, err := spiffeid.TrustDomainFromString(args[1])
	check("trust domain", err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	switch args[0] {
	case "fetch-spiffe":
		endpoint, err := spiffeid.FromString(args[3])
		check("endpoint", err)
		known, err := spiffebundle.Load(domain, args[4])
		check("load", err)
		bundle, err := federation.FetchBundle(ctx, domain, args[2], federation.WithSPIFFEAuth(known, endpoint))
		check("fetch", err)
		say(bundle)
	case "fetch-web":
		pem, err := os.ReadFile(args[3])
		check("roots", err)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		bundle, err := federation.FetchBundle(ctx, domain, args[2], federation.WithWebPKIRoots(pool))
		check("fetch", err)
		say(bundle)
	case "serve":
		bundle, err := spiffebundle.Load(domain, args[2])
		check("load", err)
		handler, err := federation.NewHandler(domain, bundle)
		check("handler", err)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		check("listen", err)
		fmt.Printf("{\"event\":\"listening\",\"local\":%q}\n", listener.Addr().String())
		check("serve", http.ServeTLS(listener, handler, args[3], args[4]))
	}
}
