package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// Usage: kube-api-server FOLDER PORT [kube-apiserver's flags]. FOLDER keeps etcd's data, and holds ca.crt, admin.crt and admin.key for
// the controllers. PORT 0 takes a free one. Prints {"port":N} once it listens; ends when standard input does.
func serve() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: kube-api-server FOLDER PORT [flags of kube-apiserver]"))
	}
	folder, port, flags := os.Args[1], os.Args[2], os.Args[3:]
	ctx, cancel := context.WithCancel(context.Background())

	database, err := startEtcd(filepath.Join(folder, "etcd"))
	check(err)
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	check(err)
	bound := listener.Addr().(*net.TCPAddr).Port

	// Whoever started this program holds its standard input: nothing stays behind when that process dies.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
		database.Close()
		os.Exit(0)
	}()

	config, err := apiServerOptions(ctx, listener, bound, append(flags, "--etcd-servers=http://"+database.Clients[0].Addr().String()))
	check(err)
	go startControllers(ctx, &rest.Config{
		Host: "https://127.0.0.1:" + strconv.Itoa(bound),
		TLSClientConfig: rest.TLSClientConfig{
			CAFile:   filepath.Join(folder, "ca.crt"),
			CertFile: filepath.Join(folder, "admin.crt"),
			KeyFile:  filepath.Join(folder, "admin.key"),
		},
		QPS:   500,
		Burst: 1000,
	})
	check(json.NewEncoder(os.Stdout).Encode(map[string]int{"port": bound}))
	check(app.Run(ctx, config))
}

// Nobody needs the data after a crash of the machine, and a test waits for each write.
func startEtcd(folder string) (*embed.Etcd, error) {
	any := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config := embed.NewConfig()
	config.Dir = folder
	config.LogLevel = "error"
	config.UnsafeNoFsync, config.EnableGRPCGateway = true, false
	config.TickMs, config.ElectionMs = 50, 500
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{any}, []url.URL{any}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{any}, []url.URL{any}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	<-server.Server.ReadyNotify()
	return server, nil
}

func apiServerOptions(ctx context.Context, listener net.Listener, port int, flags []string) (options.CompletedOptions, error) {
	run := options.NewServerRunOptions()
	set := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, group := range run.Flags().FlagSets {
		set.AddFlagSet(group)
	}
	if err := set.Parse(flags); err != nil {
		return options.CompletedOptions{}, err
	}
	if err := run.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return options.CompletedOptions{}, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	klog.SetOutput(os.Stderr)
	run.SecureServing.Listener, run.SecureServing.BindPort = listener, port
	completed, err := run.Complete(ctx)
	if err != nil {
		return options.CompletedOptions{}, err
	}
	if problems := completed.Validate(); len(problems) != 0 {
		return options.CompletedOptions{}, fmt.Errorf("kube-apiserver: %v", problems)
	}
	return completed, nil
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
