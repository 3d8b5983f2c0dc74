import { Command, Option } from 'commander';
import { originOf } from '../../../ca/log/gather/source.ts';
import { verifierKey } from '../../../ca/log/note.ts';
import { type Finding, verifyLog } from '../../../ca/log/verify-log.ts';
import { collect } from '../../options/collect.ts';
import { caDir, fail, print, reported } from '../folder-command.ts';
import { kubeconfigOptions, openCluster, systemNamespaceOption } from '../../serve/cluster-options.ts';
import { logOf, logsOfReplicas, witnessesIn } from './log-files.ts';

interface VerifyFlags {
  readonly caDir: string;
  readonly output: 'text' | 'json';
  readonly key?: string;
  readonly checkpoint?: readonly string[];
  readonly kubernetes?: true;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly systemNamespace?: string;
}

export function verifyCommand(): Command {
  const command = new Command('verify')
    .description('check every record against every checkpoint; exit 1 and the place when something was changed')
    .addOption(caDir())
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['text', 'json']).default('text'))
    .option('--key <verifier-key>', 'the key that checkpoints must have (default: the one in the folder)')
    .option('--checkpoint <file>', 'a checkpoint that was kept elsewhere; may be repeated', collect)
    .option(
      '--kubernetes',
      'the logs of all replicas, of which this folder has copies, against the checkpoints that the cluster has',
    );
  for (const option of kubeconfigOptions()) command.addOption(option);
  return command
    .addOption(systemNamespaceOption())
    .addHelpText(
      'after',
      `
Examples:
  gatehouse ca log verify --ca-dir .gatehouse/ca
  gatehouse ca log verify --ca-dir .gatehouse/ca --checkpoint last-month.checkpoint -o json
  kubectl exec -n gatehouse-system deploy/gatehouse -- gatehouse ca log verify --ca-dir /var/lib/gatehouse/ca --kubernetes

Whoever can write to the folder can write a new log with new checkpoints: keep checkpoints elsewhere (gatehouse ca log checkpoint;
the control plane's own log has each of them too) and give them here.`,
    )
    .action((flags: VerifyFlags) => {
      if (flags.kubernetes === undefined) return reported(() => verify(flags));
      if (flags.key !== undefined || flags.checkpoint !== undefined)
        return fail(2, '--key and --checkpoint are of one log: --kubernetes has those of all');
      return reported(() => verifyAll(flags));
    });
}

async function verify(flags: VerifyFlags): Promise<void> {
  const { files, verifier } = await logOf(flags.caDir, flags.key);
  const { findings, ...found } = await verifyLog(files, verifier, await witnessesIn(flags.checkpoint ?? []));
  const ok = findings.length === 0;
  if (flags.output === 'json')
    print({
      ok,
      verifierKey: verifierKey(verifier),
      ...found,
      findings: findings.map((finding) => ({ ...finding, text: textOf(finding) })),
    });
  else {
    process.stdout.write(
      `${found.records} records; ${found.sealed} of them are as ${found.checkpoints} checkpoints swear to; root ${found.root}\n`,
    );
    if (found.records > found.sealed && ok)
      process.stdout.write(`${found.records - found.sealed} newer than the newest checkpoint: the next one covers them\n`);
  }
  for (const finding of findings) fail(1, textOf(finding));
}

/** Every log that is here, and every one of which the cluster knows that there was one. */
async function verifyAll(flags: VerifyFlags): Promise<void> {
  const { client, systemNamespace } = await openCluster({
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    systemNamespace: flags.systemNamespace,
    clusterRole: undefined,
  });
  const { publishedCheckpoints } = await import('../../../kubernetes/replicas/log-checkpoints.ts');
  const published = await publishedCheckpoints(client, systemNamespace).finally(() => client.close());
  const logs = await logsOfReplicas(flags.caDir);
  const results: object[] = [];
  let ok = true;
  for (const { name, files, verifier } of logs) {
    const key = verifierKey(verifier);
    const witnesses = published
      .filter((one) => one.verifierKey === key)
      .map(({ note }) => ({ source: 'the checkpoint in the cluster', note }));
    const { findings, ...found } = await verifyLog(files, verifier, witnesses);
    results.push({ log: name, verifierKey: key, ok: findings.length === 0, ...found, findings: findings.map(textOf) });
    ok &&= findings.length === 0;
    if (flags.output === 'text')
      process.stdout.write(
        `${name}: ${found.records} records; ${found.sealed} of them are as ${found.checkpoints} checkpoints swear to\n`,
      );
    for (const finding of findings) fail(1, `${name}: ${textOf(finding)}`);
  }
  const here = new Set(logs.map(({ verifier }) => verifierKey(verifier)));
  for (const { verifierKey: key, note } of published.filter((one) => !here.has(one.verifierKey))) {
    const records = note.split('\n')[1] ?? '?';
    ok = false;
    results.push({ log: originOf(key), verifierKey: key, ok: false, records: 0, findings: [`${records} records are missing`] });
    fail(1, `${originOf(key)}: this replica has no copy of this log, which had ${records} records at its last checkpoint`);
  }
  if (flags.output === 'json') print({ ok, logs: results });
}

function textOf(finding: Finding): string {
  switch (finding.problem) {
    case 'tampering':
      return `${tampering(finding)} (${finding.checkpoint} swears to something else)`;
    case 'checkpoint':
      return `${finding.checkpoint}: this checkpoint does not count: ${finding.reason}`;
    case 'unreadable':
      return `record ${finding.record} is no record`;
    case 'no-checkpoint':
      return 'no checkpoint vouches for the records; a running authority writes the first one within seconds';
    default:
      return finding satisfies never;
  }
}

function tampering({ kind, first, last }: Extract<Finding, { problem: 'tampering' }>): string {
  const records = first === last ? `record ${first}` : `records ${first} to ${last}`;
  switch (kind) {
    case 'edited':
      return `${records} was edited`;
    case 'removed':
      return `${records} ${first === last ? 'was' : 'were'} removed`;
    case 'inserted':
      return `${records} ${first === last ? 'was' : 'were'} inserted`;
    case 'reordered':
      return `${records} are in another order`;
    case 'changed':
      return `something among ${records} was changed`;
    case 'truncated':
      return `${records} ${first === last ? 'is' : 'are'} missing: the log was cut off`;
    default:
      return kind satisfies never;
  }
}
