import type { Severity } from '../../../mesh/model/diagnostic.ts';

/** shop/web serves HTTP on 8080 behind Service port 80, shop/db TCP on 5432; ops/admin may be anything. */
export const MESH = `apiVersion: v1
kind: Namespace
metadata: {name: empty}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: web, containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: shop}
spec:
  template:
    metadata: {labels: {app: db}}
    spec: {serviceAccountName: db, containers: [{name: db, image: db, ports: [{containerPort: 5432}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: db}, ports: [{name: tcp-db, port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: admin, namespace: ops}
spec:
  template:
    metadata: {labels: {app: admin}}
    spec: {serviceAccountName: admin, containers: [{name: admin, image: admin}]}
---
`;

export const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
`;

export function policy(spec: string, name = 'p', namespace = 'shop'): string {
  const body = spec
    .trim()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}, namespace: ${namespace}}
spec:
${body}
---
`;
}

export const WEB = 'selector: {matchLabels: {app: web}}';
export const DB = 'selector: {matchLabels: {app: db}}';
export const PRINCIPAL = 'cluster.local/ns/ops/sa/admin';

/** A rule for web with one operation or source, on lines of their own so that the line of the value is known. */
export const toWeb = (list: string, action = 'ALLOW'): string =>
  policy(
    `action: ${action}\n${WEB}\nrules:\n- from: [{source: {principals: [${PRINCIPAL}]}}]\n  to:\n  - operation:\n      ${list}`,
  );
export const fromWeb = (list: string, action = 'ALLOW'): string =>
  policy(`action: ${action}\n${WEB}\nrules:\n- from:\n  - source:\n      ${list}`);

export interface Case {
  readonly title: string;
  readonly code: string;
  readonly input: string;
  readonly severity?: Severity;
  readonly field: string;
  readonly message: RegExp;
}

export const OPERATION = 'spec.rules[0].to[0].operation';
export const SOURCE = 'spec.rules[0].from[0].source';
