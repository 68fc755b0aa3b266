// This module is the folder policy/hpa, which needs nothing but the standard library, without the requirements of the
// repository's root module: those would raise the versions of what the local cluster is built from (etcd's client,
// cel-go and others), and with them change the control plane that everything else is tested against.
module github.com/plimsoll/plimsoll

go 1.26.0
