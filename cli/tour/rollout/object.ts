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

const plain = (address: string): string => `  - kind: PlainText
    from: {ipBlock: ${address}}
    to: {workload: users}
${ANSWERED}
`;

/**
 * The rollout of the shop, with gates for people who watch: a real one asks for days.
 * @param plainFrom the address of whom plain text was seen, once somebody answers for it and for the rest of the break-in
 */
export function rolloutObject(observedFor: string, plainFrom: string | undefined): string {
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
  accepted:${plainFrom !== undefined ? `\n${plain(plainFrom)}${['fraud', 'website', 'mobile'].map(refused).join('')}` : ' []\n'}  rollback:
    denials: 3
    within: 1h
`;
}
