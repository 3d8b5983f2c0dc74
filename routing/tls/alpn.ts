// Application protocols by which the two proxies of a call understand each other (Istio's names), so that a permissive server
// can tell the mesh's own TLS from TLS that is the application's.

/** The mesh's mutual TLS, and nothing said about what is inside. */
export const MESH_TCP: readonly string[] = Object.freeze(['istio-peer-exchange', 'istio']);
/** The mesh's mutual TLS with HTTP inside. */
export const MESH_HTTP: readonly string[] = Object.freeze(['istio-http/1.0', 'istio-http/1.1', 'istio-h2']);
export const MESH_ANY: readonly string[] = Object.freeze([...MESH_TCP, ...MESH_HTTP]);

/** What a server of the mesh chooses from, by what is inside. */
export const SERVES_HTTP: readonly string[] = Object.freeze(['h2', 'http/1.1']);
export const SERVES_TCP: readonly string[] = Object.freeze(['istio-peer-exchange', 'h2', 'http/1.1']);
