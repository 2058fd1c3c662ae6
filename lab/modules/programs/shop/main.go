// Shop is a small service that behaves as real ones do: it serves HTTP or TLS, becomes ready after
// a while, calls the services it needs, reads the Kubernetes API, burns CPU, and logs one JSON line
// for each thing that people would want to know. What goes wrong with it is what really happens:
// every error text comes from Go's own network and TLS code or from the API server.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	listen   = flag.String("listen", ":8080", "address to serve on; empty serves nothing")
	health   = flag.String("health", "/healthz", "path that answers 200 once ready; any other answers 404")
	start    = flag.Duration("start", 0, "how long it loads before it listens")
	warm     = flag.Duration("warm", 0, "how long it answers 503 after it listens")
	burn     = flag.Duration("burn", 0, "CPU time that each request costs")
	needs    = flag.String("needs", "", "URL or host:port of what it depends on; $NEEDS by default")
	must     = flag.Bool("must", false, "exit when what it depends on cannot be reached")
	wait     = flag.Bool("wait", false, "end well once what it depends on was reached")
	every    = flag.Duration("every", 2*time.Second, "how often it calls what it depends on")
	timeout  = flag.Duration("timeout", 3*time.Second, "patience with a call")
	secure   = flag.Bool("tls", false, "serve TLS with a certificate of its own")
	expired  = flag.Bool("expired", false, "let that certificate be one that expired")
	caFile   = flag.String("ca", "", "PEM file with the authority to trust for calls")
	deaf     = flag.Bool("deaf", false, "hold the port open and never answer anybody")
	list     = flag.String("list", "", "resource to list from the Kubernetes API, such as pods")
	require  = flag.String("require", "", "names of variables, by comma, without which it exits")
	write    = flag.String("write", "", "file to append to; exits where that fails")
	fail     = flag.String("fail", "", "message to log as an error before it exits with -code")
	code     = flag.Int("code", 1, "exit code for -fail")
	exitAt   = flag.Duration("exit-after", 0, "end well after this long")
	grumble  = flag.Duration("grumble", 0, "log a harmless error this often")
	isUsable atomic.Bool
)

func main() {
	flag.Parse()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	say("info", "starting", "listen", *listen)
	checkSettings()
	if *start > 0 {
		say("info", "loading data", "takes", start.String())
		time.Sleep(*start)
	}
	if *fail != "" {
		say("error", *fail)
		os.Exit(*code)
	}
	if *needs == "" {
		*needs = os.Getenv("NEEDS")
	}
	isUsable.Store(*needs == "" && *list == "")
	go callOthers()
	go complain()
	switch {
	case *deaf:
		go beDeaf()
	case *listen != "":
		go serve()
	}
	var end <-chan time.Time
	if *exitAt > 0 {
		end = time.After(*exitAt)
	}
	select {
	case <-stop:
		say("info", "asked to stop")
	case <-end:
		say("info", "done")
	}
}

// say logs one JSON line.
func say(level, message string, pairs ...string) {
	line := map[string]string{"ts": time.Now().UTC().Format(time.RFC3339Nano), "level": level, "msg": message}
	for i := 0; i+1 < len(pairs); i += 2 {
		line[pairs[i]] = pairs[i+1]
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

func die(message string, err error) {
	say("error", message, "error", err.Error())
	os.Exit(1)
}

// checkSettings exits where a needed variable is not set or a file cannot be written.
func checkSettings() {
	for _, name := range strings.Split(*require, ",") {
		if name != "" && os.Getenv(name) == "" {
			die("invalid configuration", fmt.Errorf("required environment variable %s is not set", name))
		}
	}
	if *write == "" {
		return
	}
	file, err := os.OpenFile(*write, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		die("cannot open the journal", err)
	}
	fmt.Fprintln(file, "opened")
	file.Close()
}

// serve answers the health path and burns the CPU time that a request costs.
func serve() {
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		die("cannot serve", err)
	}
	since := time.Now()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spend(*burn)
		switch {
		case r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/api"):
			fmt.Fprintln(w, "ok")
		case r.URL.Path != *health:
			http.NotFound(w, r)
		case !isUsable.Load() || time.Since(since) < *warm:
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		default:
			fmt.Fprintln(w, "ok")
		}
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	say("info", "listening", "address", listener.Addr().String())
	if *secure {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{ownCertificate()}}
		err = server.ServeTLS(listener, "", "")
	} else {
		err = server.Serve(listener)
	}
	die("cannot serve", err)
}

// spend uses CPU time, however long a throttled container needs for it.
func spend(d time.Duration) {
	var before, now syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	for d > 0 {
		for i := 0; i < 100_000; i++ {
			_ = i * i
		}
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &now)
		if time.Duration(now.Utime.Nano()-before.Utime.Nano()) >= d {
			return
		}
	}
}

// callOthers asks what it depends on again and again; it is ready while the last call went well.
func callOthers() {
	if *needs == "" && *list == "" {
		return
	}
	client := &http.Client{Timeout: *timeout, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: trusted(*caFile)}}}
	for ; ; time.Sleep(*every) {
		err := call(client)
		if err != nil {
			say("error", "request failed", "error", err.Error())
			if *must {
				os.Exit(1)
			}
		}
		if err == nil && !isUsable.Load() {
			say("info", "dependencies reached")
		}
		if err == nil && *wait {
			os.Exit(0)
		}
		isUsable.Store(err == nil)
	}
}

func call(client *http.Client) error {
	if *list != "" {
		return listFromAPI()
	}
	if !strings.Contains(*needs, "://") {
		conn, err := net.DialTimeout("tcp", *needs, *timeout)
		if err == nil {
			conn.Close()
		}
		return err
	}
	answer, err := client.Get(*needs)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 400 {
		return fmt.Errorf("GET %s: %s", *needs, answer.Status)
	}
	return nil
}

// listFromAPI does what client-go does, with the pod's own service account.
func listFromAPI() error {
	const folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
	token, err := os.ReadFile(folder + "token")
	if err != nil {
		return err
	}
	namespace, _ := os.ReadFile(folder + "namespace")
	host := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	url := fmt.Sprintf("https://%s/api/v1/namespaces/%s/%s", host, namespace, *list)
	request, _ := http.NewRequest(http.MethodGet, url, nil)
	request.Header.Set("Authorization", "Bearer "+string(token))
	client := &http.Client{Timeout: *timeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted(folder + "ca.crt")}}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	var status struct{ Message string }
	if json.Unmarshal(body, &status) == nil && status.Message != "" {
		return fmt.Errorf("failed to list *v1.%s: %s", *list, status.Message)
	}
	return errors.New(answer.Status)
}

func trusted(path string) *x509.CertPool {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		die("cannot read the certificate authority", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// ownCertificate is signed by itself, for the pod's own name; -expired ends it yesterday.
func ownCertificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		die("cannot make a key", err)
	}
	end := time.Now().AddDate(0, 1, 0)
	if *expired {
		end = time.Now().AddDate(0, 0, -1)
	}
	names := strings.Split(os.Getenv("TLS_NAMES"), ",")
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: end.AddDate(0, -3, 0), NotAfter: end, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		die("cannot make a certificate", err)
	}
	_ = os.WriteFile("/tmp/tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// beDeaf holds its port with a full queue: whoever calls waits until they lose patience.
func beDeaf() {
	address, err := net.ResolveTCPAddr("tcp4", *listen)
	if err != nil {
		die("cannot serve", err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		die("cannot serve", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: address.Port}); err != nil {
		die("cannot serve", err)
	}
	_ = syscall.Listen(fd, 0)
	var held []net.Conn
	for len(held) < 8 {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", address.Port), time.Second)
		if err != nil {
			break
		}
		held = append(held, conn)
	}
	say("info", "listening", "address", *listen)
	select {}
}

// complain logs an error that hurts nobody.
func complain() {
	if *grumble <= 0 {
		return
	}
	for {
		time.Sleep(*grumble)
		say("error", "cannot refresh exchange rates, using the cached ones", "error", "upstream answered 502")
	}
}
