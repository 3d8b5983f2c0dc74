// A gRPC client in Go, with Istio's and Envoy's own stubs. It does the steps of its arguments in turn on one channel, and prints what came of
// each, one JSON object a line; what the steps are, client-process.ts says.
// Usage: go run . CONFIG_JSON STEP...
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	security "istio.io/api/security/v1alpha1"
)

type config struct {
	Address     string
	ServerName  string
	Roots       string
	Csr         string
	Token       string
	Cert        string
	Key         string
	Tls12       bool
	KeepaliveMs int
	Retries     bool
}

type line struct {
	Step    string         `json:"step"`
	Codes   map[string]int `json:"codes,omitempty"`
	Details string         `json:"details,omitempty"`
	Chain   []string       `json:"chain,omitempty"`
}

type client struct {
	config  config
	conn    *grpc.ClientConn
	ca      security.IstioCertificateServiceClient
	stream  discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	input   *bufio.Reader
	finally context.CancelFunc
}

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

// Codes by the names of the specification, which all languages have.
func codeOf(err error) string {
	if err == nil {
		return "OK"
	}
	// The one name that Go spells otherwise.
	return strings.Replace(strings.ToUpper(strings.Join(words(status.Code(err)), "_")), "CANCELED", "CANCELLED", 1)
}

func words(code codes.Code) []string {
	var found []string
	name, from := code.String(), 0
	for at := 1; at < len(name); at++ {
		if name[at] >= 'A' && name[at] <= 'Z' {
			found = append(found, name[from:at])
			from = at
		}
	}
	return append(found, name[from:])
}

func say(said line) {
	text, err := json.Marshal(said)
	check("json", err)
	fmt.Println(string(text))
}

func (c *client) call(ctx context.Context, csr string, token string, options ...grpc.CallOption) ([]string, error) {
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	answer, err := c.ca.CreateCertificate(ctx, &security.IstioCertificateRequest{Csr: csr, ValidityDuration: 3600}, options...)
	return answer.GetCertChain(), err
}

func (c *client) one(step string, ctx context.Context, csr string, token string, options ...grpc.CallOption) {
	chain, err := c.call(ctx, csr, token, options...)
	details := ""
	if err != nil {
		details = status.Convert(err).Message()
	}
	say(line{Step: step, Codes: map[string]int{codeOf(err): 1}, Details: details, Chain: chain})
}

// Callers at once, each until there are enough or, where that is 0, until its first error.
func (c *client) calls(step string, enough int, atOnce int) {
	found := map[string]int{}
	var lock sync.Mutex
	var group sync.WaitGroup
	for caller := range atOnce {
		group.Go(func() {
			for done := caller; enough == 0 || done < enough; done += atOnce {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				_, err := c.call(ctx, c.config.Csr, c.config.Token)
				cancel()
				lock.Lock()
				found[codeOf(err)]++
				lock.Unlock()
				if enough == 0 && err != nil {
					return
				}
			}
		})
	}
	group.Wait()
	say(line{Step: step, Codes: found})
}

func (c *client) open(step string) {
	ctx, cancel := context.WithCancel(context.Background())
	c.finally = cancel
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(c.conn).DeltaAggregatedResources(ctx)
	if err == nil {
		c.stream = stream
		err = stream.Send(&discovery.DeltaDiscoveryRequest{TypeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster"})
	}
	if err == nil {
		_, err = stream.Recv()
	}
	say(line{Step: step, Codes: map[string]int{codeOf(err): 1}})
}

func (c *client) close(step string) {
	check("close", c.stream.CloseSend())
	_, err := c.stream.Recv()
	if err == io.EOF {
		err = nil
	}
	c.finally()
	say(line{Step: step, Codes: map[string]int{codeOf(err): 1}})
}

func (c *client) wait() {
	_, err := c.input.ReadString('\n')
	check("wait", err)
}

func (c *client) do(step string) {
	word, rest, _ := strings.Cut(step, ":")
	first, second, _ := strings.Cut(rest, ":")
	number, _ := strconv.Atoi(first)
	atOnce, _ := strconv.Atoi(second)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	switch word {
	case "connect":
		c.conn.Connect()
		for state := c.conn.GetState(); state != connectivity.Ready; state = c.conn.GetState() {
			if !c.conn.WaitForStateChange(ctx, state) {
				check("connect", ctx.Err())
			}
		}
		say(line{Step: step})
	case "wait":
		say(line{Step: step})
		c.wait()
	case "call":
		c.one(step, ctx, c.config.Csr, c.config.Token)
	case "token":
		c.one(step, ctx, c.config.Csr, first)
	case "gzip":
		c.one(step, ctx, c.config.Csr, c.config.Token, grpc.UseCompressor(gzip.Name))
	case "large":
		c.one(step, ctx, strings.Repeat("x", number), c.config.Token)
	case "deadline":
		short, done := context.WithTimeout(ctx, time.Duration(number)*time.Millisecond)
		defer done()
		c.one(step, short, c.config.Csr, "hold")
	case "cancel":
		cancelled, give := context.WithCancel(ctx)
		go func() {
			c.wait()
			give()
		}()
		c.one(step, cancelled, c.config.Csr, "hold")
	case "calls":
		c.calls(step, number, atOnce)
	case "until-error":
		c.calls(step, 0, number)
	case "open":
		c.open(step)
	case "close":
		c.close(step)
	default:
		check(step, fmt.Errorf("there is no such step"))
	}
}

func main() {
	var given config
	check("config", json.Unmarshal([]byte(os.Args[1]), &given))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(given.Roots))
	settings := &tls.Config{RootCAs: roots, ServerName: given.ServerName}
	if given.Tls12 {
		settings.MaxVersion = tls.VersionTLS12
	}
	if given.Cert != "" {
		pair, err := tls.X509KeyPair([]byte(given.Cert), []byte(given.Key))
		check("key pair", err)
		settings.Certificates = []tls.Certificate{pair}
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(settings))}
	if !given.Retries {
		options = append(options, grpc.WithDisableRetry())
	}
	if given.KeepaliveMs > 0 {
		often := time.Duration(given.KeepaliveMs) * time.Millisecond
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: often, Timeout: 5 * time.Second, PermitWithoutStream: true}))
	}
	conn, err := grpc.NewClient("passthrough:///"+given.Address, options...)
	check("channel", err)
	defer conn.Close()
	made := &client{config: given, conn: conn, ca: security.NewIstioCertificateServiceClient(conn), input: bufio.NewReader(os.Stdin)}
	var aside sync.WaitGroup
	for _, step := range os.Args[2:] {
		if word, found := strings.CutPrefix(step, "&"); found {
			aside.Go(func() { made.do(word) })
		} else {
			made.do(step)
		}
	}
	aside.Wait()
}
