/** Pods and Deployments as tests write them. */

/** A Pod of the mesh without capture: its application has an address of its own, beside which its proxy is. */
export function explicitPod(
  name: string,
  namespace: string,
  address: string,
  application: string,
  { account = 'default', ports = '' }: { readonly account?: string; readonly ports?: string } = {},
): string {
  return `
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  namespace: ${namespace}
  labels: {app: ${name}, security.istio.io/tlsMode: istio}
  annotations: {gatehouse.dev/capture: explicit, gatehouse.dev/app-address: ${application}}
spec: {serviceAccountName: ${account}, containers: [{name: app, ports: [${ports}]}]}
status: {podIP: "${address}", phase: Running}
---`;
}

/** A workload that only calls. */
export const clientIn = (namespace: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: client, namespace: ${namespace}}
spec: {template: {metadata: {labels: {app: client}}, spec: {containers: [{name: app}]}}}
---`;
