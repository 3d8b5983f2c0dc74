import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { withoutScheme } from '../../ca/identity/spiffe-id.ts';
import { keyOf, selects } from '../../mesh/model/object.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { callerKind } from '../../policy/access/candidates.ts';
import { writtenRequest } from '../../policy/access/witness.ts';
import { type Explanation, explain } from '../../policy/evaluate/explain.ts';
import type { NamedRequest } from '../../policy/evaluate/read-requests.ts';
import type { Request } from '../../policy/evaluate/request.ts';
import { diagnosticsOption, filenameOption, meshConfigOption } from '../input/options.ts';
import { collect } from '../options/collect.ts';
import { type RequestFlags, requestsAsked } from './explain-request.ts';
import { type Places, type Surroundings, explainedText } from './explain-text.ts';
import { type MeshFlags, fail, meshOf } from './mesh.ts';
import { outputColors } from '../options/colors.ts';

interface ExplainFlags extends MeshFlags, RequestFlags {
  readonly output: string;
}

/** Where the objects of a mesh stand in its files. */
export function placesIn(snapshot: Snapshot): Places {
  const kinds = {
    AuthorizationPolicy: snapshot.authorizationPolicies,
    PeerAuthentication: snapshot.peerAuthentications,
    RequestAuthentication: snapshot.requestAuthentications,
  };
  return (kind, name) => kinds[kind].find(({ meta }) => keyOf(meta) === name)?.meta.origin;
}

/** The workload that a request goes to: its name when there is one with these labels, and its port. */
function destinationText(snapshot: Snapshot, { destination }: Request): string {
  const { namespace, labels, port, protocol } = destination;
  const found = snapshot.workloads.filter((one) => one.namespace === namespace && selects(labels, one.labels));
  const [only] = found;
  const shown = Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
  const name = found.length === 1 && only !== undefined ? keyOf(only) : `a workload in ${namespace}`;
  return `${name}${port === undefined ? '' : ` port ${port}`} (${protocol})${shown === '' ? ', without labels' : `, labels ${shown}`}`;
}

export function surroundings(snapshot: Snapshot, request: Request): Surroundings {
  const { principal: id } = request.source;
  const principal = id === undefined ? undefined : withoutScheme(id);
  const { meshConfig } = snapshot;
  const strange =
    callerKind(principal === undefined ? undefined : [principal], [meshConfig]) === 'foreign' &&
    !(meshConfig.federatedTrustDomains ?? []).some((domain) => principal?.startsWith(`${domain}/`) === true);
  return { destination: destinationText(snapshot, request), strange };
}

/** An explanation for machines: what is absent is null. */
function explainedRow({ name, request }: NamedRequest, explanation: Explanation, places: Places): object {
  const { verdict, mtls, token, custom, policies, nearest, shadow } = explanation;
  const rule = ({ failed, ...rest }: Explanation['policies'][number]['rules'][number]): object => ({
    ...rest,
    failed: failed ?? null,
  });
  return {
    request: writtenRequest(name, request),
    decision: verdict.decision,
    policy: verdict.policy ?? null,
    rule: verdict.rule ?? null,
    reason: verdict.reason,
    mtls: { ...mtls, setBy: mtls.setBy ?? null, peer: mtls.peer ?? null },
    token: token === undefined ? null : { ...token, by: token.by ?? null },
    custom: custom ?? null,
    policies: policies.map((step) => ({
      ...step,
      provider: step.provider ?? null,
      origin: places('AuthorizationPolicy', step.policy) ?? null,
      rules: step.rules.map(rule),
    })),
    nearest: nearest === undefined ? null : { ...nearest, failed: nearest.failed ?? null },
    dryRun: { deny: shadow.deny?.decision ?? null, allow: shadow.allow?.decision ?? null },
  };
}

function action(flags: ExplainFlags): void {
  const snapshot = meshOf('explain', flags);
  if (snapshot === undefined) return;
  const asked = requestsAsked(snapshot, flags);
  if (!asked.ok) return fail('explain', 2, asked.reason);
  const places = placesIn(snapshot);
  const all = asked.value.map((one) => ({ one, explanation: explain(snapshot, one.request) }));
  if (flags.output === 'text') {
    const texts = all.map(({ one, explanation }) =>
      explainedText(one, explanation, surroundings(snapshot, one.request), places, outputColors()),
    );
    process.stdout.write(texts.join('\n'));
    return;
  }
  const rows = all.map(({ one, explanation }) => explainedRow(one, explanation, places));
  process.stdout.write(
    flags.output === 'json' ? `${JSON.stringify(rows, undefined, 2)}\n` : stringify(rows, { aliasDuplicateObjects: false }),
  );
}

/** `gatehouse policy explain`: one request, every policy considered, what decided. */
export function explainCommand(): Command {
  return new Command('explain')
    .description('why a request is allowed or denied: each policy considered in order, what decided, what came nearest')
    .addOption(filenameOption().makeOptionMandatory())
    .option('--from <principal|namespace/workload>', 'the caller: a SPIFFE ID, or a workload for the account it runs as')
    .option('--plaintext', 'the caller has no identity: the call comes in plain text')
    .option('--to <namespace/workload[:port]>', "the workload called; the port is the workload's own")
    .option('--method <method>', 'GET if absent')
    .option('--path <path>', '/ if absent')
    .option('--host <host>', 'the Service of the workload if absent')
    .addOption(new Option('--header <name=value>', 'a header; may be repeated').argParser(collect))
    .option('--ip <address>', "the caller's address")
    .option('--tcp', 'a TCP connection, not an HTTP request (also where a Service says that the port is TCP)')
    .option(
      '--requests <file>',
      'requests as "gatehouse policy check" takes them, in place of the options above; - is standard input',
    )
    .option('--name <name>', 'only the request of this name')
    .addOption(meshConfigOption())
    .addOption(diagnosticsOption())
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['text', 'json', 'yaml']).default('text'))
    .addHelpText(
      'after',
      `
Exit status: 0 explained, whatever the decision; 1 the configuration has errors; 2 wrong usage.

Examples:
  gatehouse policy explain -f mesh/ --from shop/website --to shop/users --path /users/7
  gatehouse policy explain -f mesh/ --plaintext --to shop/users:8080 --method POST --header x-role=admin
  gatehouse policy explain -f mesh/ --requests requests.yaml --name "reviews reads ratings" -o json`,
    )
    .action(action);
}
