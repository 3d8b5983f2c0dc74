// A workload that knows nothing of Gatehouse: it uses go-spiffe as its documentation says, and prints what it got, one
// JSON object a line. Usage: go run . SOCKET AUDIENCE SERIALS
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

func say(event string, fields map[string]any) {
	fields["event"] = event
	line, err := json.Marshal(fields)
	check("json", err)
	fmt.Println(string(line))
}

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

// watcher counts the serial numbers that the stream brings.
type watcher struct {
	mutex   sync.Mutex
	serials map[string]bool
	wanted  int
	done    chan struct{}
}

func (w *watcher) OnX509ContextUpdate(update *workloadapi.X509Context) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	svid := update.DefaultSVID()
	serial := svid.Certificates[0].SerialNumber.Text(16)
	domains := []string{}
	for _, bundle := range update.Bundles.Bundles() {
		domains = append(domains, bundle.TrustDomain().Name())
	}
	say("x509", map[string]any{"id": svid.ID.String(), "serial": serial, "domains": domains})
	before := len(w.serials)
	w.serials[serial] = true
	if before < w.wanted && len(w.serials) == w.wanted {
		close(w.done)
	}
}

func (w *watcher) OnX509ContextWatchError(err error) {
	fmt.Fprintf(os.Stderr, "watch: %v\n", err)
}

// handshake makes one mutual TLS connection between two ends that both have the workload's identity.
func handshake(ctx context.Context, source *workloadapi.X509Source, id spiffeid.ID) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", tlsconfig.MTLSServerConfig(source, source, tlsconfig.AuthorizeID(id)))
	check("listen", err)
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		connection, err := listener.Accept()
		if err == nil {
			_, err = connection.Write([]byte("hello"))
			connection.Close()
		}
		served <- err
	}()
	dialer := tls.Dialer{Config: tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(id)), NetDialer: &net.Dialer{}}
	connection, err := dialer.DialContext(ctx, "tcp", listener.Addr().String())
	check("dial", err)
	text := make([]byte, 5)
	_, err = connection.Read(text)
	check("read", err)
	check("serve", <-served)
	say("mtls", map[string]any{"text": string(text)})
}

func main() {
	socket, audience := os.Args[1], os.Args[2]
	wanted, err := strconv.Atoi(os.Args[3])
	check("arguments", err)
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	address := workloadapi.WithAddr("unix://" + socket)

	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(address))
	check("source", err)
	defer source.Close()
	svid, err := source.GetX509SVID()
	check("svid", err)
	handshake(ctx, source, svid.ID)

	client, err := workloadapi.New(ctx, address)
	check("client", err)
	defer client.Close()

	bundles, err := client.FetchX509Bundles(ctx)
	check("x509 bundles", err)
	for _, bundle := range bundles.Bundles() {
		say("x509-bundle", map[string]any{"domain": bundle.TrustDomain().Name(), "roots": len(bundle.X509Authorities())})
	}
	token, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience, ExtraAudiences: []string{"second"}})
	check("jwt", err)
	again, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience, ExtraAudiences: []string{"second"}})
	check("jwt again", err)
	say("jwt", map[string]any{
		"id": token.ID.String(), "audience": token.Audience, "token": token.Marshal(),
		"seconds": token.Expiry.Sub(time.Now()).Seconds(), "cached": again.Marshal() == token.Marshal(),
	})
	jwtBundles, err := client.FetchJWTBundles(ctx)
	check("jwt bundles", err)
	local, err := jwtsvid.ParseAndValidate(token.Marshal(), jwtBundles, []string{audience})
	check("local validation", err)
	remote, err := client.ValidateJWTSVID(ctx, token.Marshal(), audience)
	check("validation", err)
	say("validated", map[string]any{"local": local.ID.String(), "remote": remote.ID.String()})
	_, err = client.ValidateJWTSVID(ctx, token.Marshal(), "somebody-else")
	say("refused", map[string]any{"error": fmt.Sprint(err)})

	watch := &watcher{serials: map[string]bool{}, wanted: wanted, done: make(chan struct{})}
	go func() {
		_ = client.WatchX509Context(ctx, watch)
	}()
	select {
	case <-watch.done:
	case <-ctx.Done():
		check("rotation", ctx.Err())
	}
	rotated, err := source.GetX509SVID()
	check("svid", err)
	handshake(ctx, source, rotated.ID)
	say("done", map[string]any{"serials": len(watch.serials)})
}
