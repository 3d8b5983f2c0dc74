const ANSWERED = `    owner: security@shop.example
    reason: a break-in at the support site
    until: 2099-01-01T00:00:00Z`;

function refused(workload: string): string {
  return `  - kind: Denied
    from: {principal: cluster.local/ns/shop/sa/support}
    to: {workload: ${workload}}
${ANSWERED}
`;
}

const PLAIN = `  - kind: PlainText
    from: {ipBlock: 127.0.0.0/8}
    to: {workload: users}
${ANSWERED}
`;

/** The rollout of the shop, with gates for people who watch: a real one asks for days. */
export function rolloutObject(observedFor: string, answers: boolean): string {
  const gate = `{observedFor: ${observedFor}, requests: 50}`;
  return `# How the shop gets from "everybody may call everybody" to least privilege: gatehouse rollout status shop
apiVersion: gatehouse.dev/v1alpha1
kind: NamespaceRollout
metadata:
  name: shop
  namespace: shop
spec:
  target: enforce
  advance: Manual
  gates:
    strict: ${gate}
    dryRun: ${gate}
    enforce: ${gate}
  # Callers that will be refused: somebody answers for it, until then.
  accepted:${answers ? `\n${PLAIN}${['fraud', 'website', 'mobile'].map(refused).join('')}` : ' []\n'}  rollback:
    denials: 3
    within: 1h
`;
}
