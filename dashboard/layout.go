// SPDX-License-Identifier: Apache-2.0

package dashboard

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

//go:embed templates
var ownTemplates embed.FS

// pageFiles are the templates of our own pages.
func pageFiles() fs.FS {
	own, err := fs.Sub(ownTemplates, "templates/pages")
	if err != nil {
		panic(err) // it is embedded
	}
	return own
}

// View is a page that is to be shown.
type View struct {
	// Name is that of its template, without .html.
	Name string
	// Title says what page it is. Each page has another.
	Title string
	// Section is the part of the dashboard that the page belongs to: webhooks, deliveries,
	// events, feed, keys, audit, account; of operators as the first part of its path.
	Section string
	// Data is the template's own.
	Data any
	// Bare pages have no navigation, as those to log in.
	Bare bool
	// Scripts are files below static that the page needs beside those of all pages.
	Scripts []string

	person  *Person
	account bool
}

// For returns the page with the navigation of a person, of a gate that has pages of its own.
func (v View) For(person Person) View {
	v.person, v.account = &person, true
	return v
}

// Templates are pages in one layout.
type Templates struct {
	pages map[string]*template.Template
	now   func() time.Time
}

// NewTemplates reads pages. Each file NAME.html of a file system defines "main", and may use
// what the shared templates define.
func NewTemplates(own fs.FS, now func() time.Time) (*Templates, error) {
	shared, err := template.New("").Funcs(template.FuncMap{"breakable": breakable, "dict": dict, "sentence": sentence}).ParseFS(ownTemplates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the dashboard's layout: %w", err)
	}
	names, err := fs.Glob(own, "*.html")
	if err != nil {
		return nil, err
	}
	t := &Templates{pages: make(map[string]*template.Template), now: now}
	for _, name := range names {
		page, err := template.Must(shared.Clone()).ParseFS(own, name)
		if err != nil {
			return nil, fmt.Errorf("reading the page %s: %w", name, err)
		}
		t.pages[strings.TrimSuffix(name, ".html")] = page
	}
	return t, nil
}

// frame is what the layout shows around a page. Its methods are those of all templates, as
// $.Time.
type frame struct {
	View
	Base, Theme, Path, Version string
	Person                     *Person
	Account                    bool
	now                        time.Time
}

// Time returns a time as pages show it.
func (f frame) Time(at time.Time) moment { return momentOf(at, f.now) }

// Render answers with a page. It is written as a whole, so that no half of one is sent.
func (t *Templates) Render(w http.ResponseWriter, r *http.Request, status int, page View) {
	made := frame{
		View: page, Base: Base(r), Theme: themeOf(r), Path: pathOf(r), Version: version, Person: page.person, Account: page.account, now: t.now(),
	}
	var text bytes.Buffer
	of := t.pages[page.Name]
	err := fmt.Errorf("there is no page %s", page.Name)
	if of != nil {
		err = of.ExecuteTemplate(&text, "layout", made)
	}
	if err != nil {
		// Only a mistake in a template leads here, and each is rendered by a test.
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text.Bytes())
	}
}

// pathOf returns the path and the query of a request, to come back to.
func pathOf(r *http.Request) string {
	if r.Method != http.MethodGet {
		return "/"
	}
	return r.URL.RequestURI()
}

// breakable returns the parts of a long name, between which a line may break.
func breakable(name string) []string {
	var parts []string
	for name != "" {
		at := strings.IndexAny(name, "./")
		if at < 0 {
			return append(parts, name)
		}
		parts, name = append(parts, name[:at+1]), name[at+1:]
	}
	return parts
}

// dict returns a map of names and values, for a template that takes several things.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict takes names and values, not %d things", len(pairs))
	}
	made := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, isText := pairs[i].(string)
		if !isText {
			return nil, fmt.Errorf("%v is no name", pairs[i])
		}
		made[name] = pairs[i+1]
	}
	return made, nil
}
