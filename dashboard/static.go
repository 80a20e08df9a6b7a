// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"path"
)

// files are what pages load: one style sheet, one icon, htmx, and scripts of ours. htmx is
// as its package has it, with its licence.
//
//go:embed static
var files embed.FS

// typesOfFiles are the types of the files that are served; what has none of them is not.
var typesOfFiles = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// version changes with the files, so that a browser asks again after an update.
var version = func() string {
	h := sha256.New()
	names, _ := fs.Glob(files, "static/*")
	for _, name := range names {
		text, _ := files.ReadFile(name)
		_, _ = h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}()

// serveFile answers with one of the files. They are the same for everybody, so they alone
// may be kept.
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	kind := typesOfFiles[path.Ext(name)]
	text, err := files.ReadFile("static/" + name)
	if kind == "" || err != nil {
		s.fail(w, r, nil, errLost)
		return
	}
	w.Header().Set("Content-Type", kind)
	if r.URL.Query().Get("v") == version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = io.Copy(w, bytes.NewReader(text))
}
