// SPDX-License-Identifier: Apache-2.0

package pocketbase

import (
	"net"
	"testing"

	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	_ "github.com/pocketbase/pocketbase/migrations" // without them, PocketBase has no tables
	"github.com/pocketbase/pocketbase/tools/types"
)

// states are the possible values of an article's state.
var states = []string{"draft", "review", "published"}

// api is a PocketBase that serves on a loopback port.
type api struct {
	addr string
	// token is a superuser's. Caddy reads Shows with it: notes cannot be read
	// without it.
	token string
}

func (a *api) url() string { return "http://" + a.addr }

// startAPI starts PocketBase with an empty database.
func startAPI(t *testing.T) *api {
	t.Helper()
	app := core.NewBaseApp(core.BaseAppConfig{DataDir: t.TempDir()})
	if err := app.Bootstrap(); err != nil {
		t.Fatalf("starting PocketBase: %v", err)
	}
	if err := app.RunAllMigrations(); err != nil {
		t.Fatalf("making PocketBase's tables: %v", err)
	}
	token := addSuperuser(t, app)
	addCollections(t, app)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		e.Listener = listener
		e.InstallerFunc = nil // it would open a browser
		e.Router.Bind(apis.Gzip())
		return e.Next()
	})
	served := make(chan error, 1)
	go func() { served <- apis.Serve(app, apis.ServeConfig{HttpAddr: listener.Addr().String()}) }()
	t.Cleanup(func() {
		terminate := &core.TerminateEvent{App: app}
		err := app.OnTerminate().Trigger(terminate, func(e *core.TerminateEvent) error {
			return e.App.ResetBootstrapState()
		})
		if err != nil {
			t.Errorf("stopping PocketBase: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("PocketBase: %v", err)
		}
	})
	return &api{addr: listener.Addr().String(), token: token}
}

// addSuperuser adds a superuser and returns its token.
func addSuperuser(t *testing.T, app core.App) string {
	t.Helper()
	superusers, err := app.FindCollectionByNameOrId(core.CollectionNameSuperusers)
	if err != nil {
		t.Fatal(err)
	}
	superuser := core.NewRecord(superusers)
	superuser.SetEmail("operator@example.com")
	superuser.SetRandomPassword()
	if err := app.Save(superuser); err != nil {
		t.Fatalf("adding a superuser: %v", err)
	}
	token, err := superuser.NewAuthToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// addCollections adds articles, which have the time of their update, and notes,
// which do not and which only superusers may read.
func addCollections(t *testing.T, app core.App) {
	t.Helper()
	everyone := types.Pointer("")
	articles := core.NewBaseCollection("articles")
	articles.Fields.Add(
		&core.TextField{Name: "title", Required: true},
		&core.SelectField{Name: "state", Values: states, MaxSelect: 1},
		&core.NumberField{Name: "amount"},
		&core.AutodateField{Name: "created", OnCreate: true},
		&core.AutodateField{Name: "updated", OnCreate: true, OnUpdate: true},
	)
	articles.ListRule, articles.ViewRule = everyone, everyone
	notes := core.NewBaseCollection("notes")
	notes.Fields.Add(
		&core.TextField{Name: "text", Required: true},
		&core.FileField{Name: "attachment", MaxSelect: 1, MaxSize: 1 << 20},
	)
	for _, collection := range []*core.Collection{articles, notes} {
		collection.CreateRule, collection.UpdateRule, collection.DeleteRule = everyone, everyone, everyone
		if err := app.Save(collection); err != nil {
			t.Fatalf("adding the collection %s: %v", collection.Name, err)
		}
	}
}
