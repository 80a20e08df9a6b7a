// SPDX-License-Identifier: Apache-2.0

package webhooks_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// xcaddyBuilder has the fields of xcaddy.Builder, which xcaddy.json is the JSON
// of: github.com/caddyserver/xcaddy is too much of a dependency for a test.
type xcaddyBuilder struct {
	CaddyVersion string              `json:"caddy_version"`
	Plugins      []xcaddyDependency  `json:"plugins"`
	Replacements []xcaddyReplacement `json:"replacements"`
	OS           string              `json:"os"`
	Arch         string              `json:"arch"`
	ARM          string              `json:"arm"`
	CGO          bool                `json:"cgo"`
	TimeoutGet   time.Duration       `json:"timeout_get"`
	TimeoutBuild time.Duration       `json:"timeout_build"`
	RaceDetector bool                `json:"race_detector"`
	SkipCleanup  bool                `json:"skip_cleanup"`
	SkipBuild    bool                `json:"skip_build"`
	Debug        bool                `json:"debug"`
	BuildFlags   string              `json:"build_flags"`
	ModFlags     string              `json:"mod_flags"`
	PGOProfile   string              `json:"pgo_profile"`
	EmbedDirs    []struct {
		Dir  string `json:"dir"`
		Name string `json:"name"`
	} `json:"embed_dir"`
}

type xcaddyDependency struct {
	PackagePath string `json:"module_path"`
	Version     string `json:"version"`
}

type xcaddyReplacement struct {
	Old string `json:"old"`
	New string `json:"new"`
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goMod returns the path of this module and the version of Caddy that it
// requires.
func goMod(t *testing.T) (path, caddyVersion string) {
	t.Helper()
	text := readFile(t, "go.mod")
	find := func(pattern string) string {
		found := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("go.mod has nothing like %s", pattern)
		}
		return found[1]
	}
	return find(`(?m)^module (\S+)$`), find(`(?m)^\s*(?:require )?github\.com/caddyserver/caddy/v2 (\S+)$`)
}

// TestXcaddyJSON holds xcaddy.json against go.mod: who reads it with xcaddy's
// library gets this checkout, with the Caddy that it is tested with.
func TestXcaddyJSON(t *testing.T) {
	decoder := json.NewDecoder(bytes.NewBufferString(readFile(t, "xcaddy.json")))
	decoder.DisallowUnknownFields()
	var builder xcaddyBuilder
	if err := decoder.Decode(&builder); err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Error("something follows the JSON object")
	}

	path, caddyVersion := goMod(t)
	if builder.CaddyVersion != caddyVersion {
		t.Errorf("caddy_version is %q, go.mod requires %q", builder.CaddyVersion, caddyVersion)
	}
	if len(builder.Plugins) != 1 || builder.Plugins[0].PackagePath != path {
		t.Errorf("plugins are %+v, want %q alone", builder.Plugins, path)
	}
	if want := (xcaddyReplacement{Old: path, New: "."}); len(builder.Replacements) != 1 || builder.Replacements[0] != want {
		t.Errorf("replacements are %+v, want %+v alone", builder.Replacements, want)
	}
	if builder.CGO {
		t.Error("cgo is on; the module is pure Go")
	}
}

// TestCaddyVersionIsTheSameEverywhere finds the places where a new version of
// Caddy has been forgotten.
func TestCaddyVersionIsTheSameEverywhere(t *testing.T) {
	path, caddyVersion := goMod(t)
	number := strings.TrimPrefix(caddyVersion, "v")
	for name, wants := range map[string][]string{
		"Dockerfile": {
			"FROM caddy:" + number + "-builder AS builder\n",
			"FROM caddy:" + number + "\n",
			"xcaddy build " + caddyVersion + " \\\n",
			"--with " + path + "@",
		},
		"README.md": {
			"xcaddy build " + caddyVersion + " --with " + path + "\n",
		},
	} {
		text := readFile(t, name)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
	}
}
