// SPDX-License-Identifier: Apache-2.0

// Package assure is an example of an API that checks identities: a dossier has
// processes, and each ends when a provider has decided. Whoever creates a process can
// name a server that is to be notified, which the API keeps with the process and does
// nothing about. It keeps everything in memory and knows nothing of webhooks.
//
//	POST /dossiers
//	POST /dossiers/{dossier}/processes        GET …/{process}
//	POST /capture-flow                        makes a dossier, too
package assure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Keys are those of the API's users, and the one with which all is seen.
var Keys = map[string]string{"ann-key": "ann", "bob-key": "bob", PlatformKey: ""}

// PlatformKey is the key that sees what all users have.
const PlatformKey = "platform-key"

// Options say how the API behaves. The zero value is a running one.
type Options struct {
	// Later runs what the provider does, some time after a request. Default: after three
	// seconds.
	Later func(what func())
}

// API is the service.
type API struct {
	later func(func())

	mu        sync.Mutex
	dossiers  map[string]string // their owners
	processes map[string]*process
	last      int
}

// process is what `GET /dossiers/{dossier}/processes/{process}` shows.
type process struct {
	DossierID string `json:"dossierId"`
	ProcessID string `json:"processId"`
	Status    string `json:"status"`
	Document  string `json:"document"`
}

// New returns an API without dossiers.
func New(o Options) *API {
	if o.Later == nil {
		o.Later = func(what func()) { time.AfterFunc(3*time.Second, what) }
	}
	return &API{later: o.Later, dossiers: make(map[string]string), processes: make(map[string]*process)}
}

// Handler returns the API's handler.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /dossiers", a.createDossier)
	mux.HandleFunc("POST /dossiers/{dossier}/processes", a.createProcess)
	mux.HandleFunc("POST /capture-flow", a.createProcess)
	mux.HandleFunc("GET /dossiers/{dossier}/processes/{process}", a.show)
	return mux
}

func (a *API) createDossier(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	user, known := userOf(r)
	if !known {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "send a key"})
		return
	}
	answer(w, http.StatusCreated, map[string]string{"dossierId": a.newDossier(user)})
}

// newDossier makes a dossier. The caller holds the lock.
func (a *API) newDossier(user string) string {
	a.last++
	id := fmt.Sprintf("d%d", a.last)
	a.dossiers[id] = user
	return id
}

// createProcess begins a check, which ends some time later.
func (a *API) createProcess(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Document string `json:"document"`
		// They are accepted, as the clients send them.
		NotificationURL     string `json:"notificationUrl"`
		AuthorizationHeader string `json:"authorizationHeader"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&asked); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	user, known := userOf(r)
	dossier := r.PathValue("dossier")
	switch {
	case !known:
		answer(w, http.StatusUnauthorized, map[string]string{"error": "send a key"})
		return
	case dossier == "":
		dossier = a.newDossier(user)
	case !a.sees(user, dossier):
		answer(w, http.StatusNotFound, map[string]string{"error": "there is no such dossier"})
		return
	}
	a.last++
	made := &process{dossier, fmt.Sprintf("p%d", a.last), "pending", asked.Document}
	a.processes[dossier+"/"+made.ProcessID] = made
	a.later(func() { a.decide(made) })
	answer(w, http.StatusCreated, made)
}

// decide does what a provider does: it cannot read some documents, and believes in all
// but one.
func (a *API) decide(p *process) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch p.Document {
	case "forged":
		p.Status = "rejected"
	case "blurred":
		p.Status = "failed"
	default:
		p.Status = "accepted"
	}
}

func (a *API) show(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	user, known := userOf(r)
	found := a.processes[r.PathValue("dossier")+"/"+r.PathValue("process")]
	if !known || found == nil || !a.sees(user, found.DossierID) {
		answer(w, http.StatusNotFound, map[string]string{"error": "there is no such process"})
		return
	}
	answer(w, http.StatusOK, found)
}

// sees reports whether a user sees a dossier. The caller holds the lock.
func (a *API) sees(user, dossier string) bool {
	owner, exists := a.dossiers[dossier]
	return exists && (user == "" || user == owner)
}

// userOf returns who makes a request, "" for the platform.
func userOf(r *http.Request) (user string, known bool) {
	const scheme = "Bearer "
	authorization := r.Header.Get("Authorization")
	if len(authorization) < len(scheme) {
		return "", false
	}
	user, known = Keys[authorization[len(scheme):]]
	return user, known
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have gone
}
