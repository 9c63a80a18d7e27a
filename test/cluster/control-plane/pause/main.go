// Command pause holds a pod's namespaces open, as every pod's first container does, until it is told to stop. Kubelets
// usually pull one from a registry.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}
