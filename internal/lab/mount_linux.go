// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Mount mounts a file system at a directory, until the test ends. If that is
// not permitted, the test says so, and fails where it must not be skipped.
func Mount(t testing.TB, dir string, args ...string) {
	t.Helper()
	if err := TryMount(t, dir, args...); err != nil {
		NotPermitted(t, err)
	}
	t.Cleanup(func() { Unmount(t, dir) })
}

// NotPermitted ends a test that lacks a permission or a program.
func NotPermitted(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("this test needs a file system of its own, and in CI it must run: %v", err)
	}
	t.Skipf("NOT TESTED: this test needs a file system of its own, and mounting one is not permitted here: %v", err)
}

// TryMount mounts a file system, for this user.
func TryMount(t testing.TB, dir string, args ...string) error {
	t.Helper()
	if err := privileged(t, "mount", append(args, dir)...); err != nil {
		return err
	}
	return privileged(t, "chown", fmt.Sprint(os.Getuid()), dir)
}

// Unmount unmounts the file system at a directory. It waits while that is in use: the
// kernel lets go of a file that was mounted some time after it was unmounted.
func Unmount(t testing.TB, dir string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := privileged(t, "umount", dir)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("unmounting: %v", err)
			return
		}
		time.Sleep(100 * time.Millisecond) // polling the kernel
	}
}

// UnmountLazily unmounts the file system at a directory although it is in use.
func UnmountLazily(t testing.TB, dir string) {
	t.Helper()
	if err := privileged(t, "umount", "-l", dir); err != nil {
		t.Errorf("unmounting: %v", err)
	}
}

// privileged runs a command as root.
func privileged(t testing.TB, name string, args ...string) error {
	t.Helper()
	if os.Getuid() != 0 {
		name, args = "sudo", append([]string{"-n", name}, args...)
	}
	output, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, output)
	}
	return nil
}
