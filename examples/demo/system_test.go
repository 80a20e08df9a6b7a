// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The programs of each system listen where its Caddyfile looks for them, and have what
// it takes from the environment.
func TestStagesFitTheSystems(t *testing.T) {
	files, err := filepath.Glob("../*/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	systems := 0
	for _, file := range files {
		dir := filepath.Dir(file)
		if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
			continue
		}
		systems++
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		system := filepath.Base(dir)
		stages := systemStages("bin", system)
		for _, wanted := range []string{"reverse_proxy " + stages[0][0].ports[0], "http://" + stages[1][0].ports[0] + " {", "queue badger ./data/" + system + "\n"} {
			if !strings.Contains(string(text), wanted) {
				t.Errorf("%s has no %q", file, wanted)
			}
		}
		environment := "\n" + strings.Join(stages[1][0].env, "\n")
		for _, name := range regexp.MustCompile(`\{(?:\$|env\.)([A-Z_]+)\}`).FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(environment, "\n"+name[1]+"=") {
				t.Errorf("%s takes %s from the environment, where it is not", file, name[1])
			}
		}
		if !strings.Contains(systemGreeting(system), "examples/"+system+"/README.md") {
			t.Errorf("%s: nobody is told what to try", system)
		}
	}
	if systems < 2 {
		t.Errorf("there are %d systems", systems)
	}
}
