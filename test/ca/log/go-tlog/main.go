// Reads what `gatehouse ca log prove` prints and checks it with the Go team's implementation of transparency logs.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type proven struct {
	Record    string   `json:"record"`
	Index     int64    `json:"index"`
	LeafHash  string   `json:"leafHash"`
	AuditPath []string `json:"auditPath"`
}

type proof struct {
	VerifierKey string   `json:"verifierKey"`
	Checkpoint  string   `json:"checkpoint"`
	Size        int64    `json:"size"`
	RootHash    string   `json:"rootHash"`
	Records     []proven `json:"records"`
	Consistency *struct {
		Size     int64    `json:"size"`
		RootHash string   `json:"rootHash"`
		Proof    []string `json:"proof"`
	} `json:"consistency"`
}

func hashOf(text string) tlog.Hash {
	bytes, err := base64.StdEncoding.DecodeString(text)
	check(err)
	var hash tlog.Hash
	if len(bytes) != len(hash) {
		check(fmt.Errorf("%q is no hash", text))
	}
	copy(hash[:], bytes)
	return hash
}

func hashesOf(texts []string) []tlog.Hash {
	var hashes []tlog.Hash
	for _, text := range texts {
		hashes = append(hashes, hashOf(text))
	}
	return hashes
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	var given proof
	check(json.NewDecoder(os.Stdin).Decode(&given))
	verifier, err := note.NewVerifier(given.VerifierKey)
	check(err)
	opened, err := note.Open([]byte(given.Checkpoint), note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() || lines[1] != fmt.Sprint(given.Size) || lines[2] != given.RootHash {
		check(fmt.Errorf("the checkpoint says something else: %q", lines))
	}
	root := hashOf(lines[2])
	for _, record := range given.Records {
		leaf := tlog.RecordHash([]byte(record.Record))
		if claimed := hashOf(record.LeafHash); !bytes.Equal(leaf[:], claimed[:]) {
			check(fmt.Errorf("record %d has another hash", record.Index))
		}
		check(tlog.CheckRecord(hashesOf(record.AuditPath), given.Size, root, record.Index, leaf))
	}
	if older := given.Consistency; older != nil {
		check(tlog.CheckTree(hashesOf(older.Proof), given.Size, root, older.Size, hashOf(older.RootHash)))
	}
	fmt.Printf("%d records, %d\n", len(given.Records), given.Size)
}
