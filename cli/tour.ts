import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { printed } from '../audit/document/print.ts';
import { printableReport } from '../audit/report/printable.ts';
import { tourFolder } from './tour/folder.ts';
import { startMesh, type TourMesh } from './tour/mesh.ts';
import { ask } from './tour/request.ts';
import { RolloutCommands } from './tour/rollout/commands.ts';
import { Customers } from './tour/rollout/customers.ts';
import type { StepResult, TourContext } from './tour/step.ts';
import { STEPS } from './tour/steps.ts';
import { wholeReport } from './tour/whole-report.ts';
import { samplesFolder } from './up/samples.ts';
import { version } from './version.ts';

interface TourFlags {
  readonly once: boolean;
  readonly capture: string;
  readonly dir: string;
  readonly gatewayPort: string;
  readonly pageAddress: string;
  readonly output: 'text' | 'json';
}

const EXAMPLES = `
Examples:
  gatehouse tour                     the sample mesh, with traffic, until Ctrl-C
  gatehouse tour --once              show each thing once, exit 0 if all was seen, else 1
  gatehouse tour --once -o json      the same for machines
  gatehouse tour --capture netns     each workload in a network namespace (root, Linux)`;

export function tourCommand(): Command {
  return new Command('tour')
    .description('a whole mesh on this machine, from the samples: identities, mTLS, policy, routing, rotation and the report')
    .option('--once', 'make the tour, print what was seen, and end', false)
    .addOption(
      new Option('--capture <mode>', 'how traffic reaches the proxies').choices(['explicit', 'netns']).default('explicit'),
    )
    .option('--dir <dir>', 'where the mesh is kept', '.gatehouse/tour')
    .option('--gateway-port <port>', 'where the gateway listens on 127.0.0.1', '8080')
    .option('--page-address <host:port>', 'where the report is shown', '127.0.0.1:15080')
    .addOption(new Option('-o, --output <format>', 'what --once prints').choices(['text', 'json']).default('text'))
    .addHelpText('after', EXAMPLES)
    .action(tour);
}

async function tour(flags: TourFlags): Promise<void> {
  const samples = samplesFolder();
  if (samples === undefined) {
    process.stderr.write('gatehouse tour: the samples are not beside this program (run it from a checkout)\n');
    process.exitCode = 1;
    return;
  }
  const folder = tourFolder(resolve(flags.dir), samples);
  let mesh: TourMesh;
  try {
    mesh = await startMesh([
      ...['-f', folder.mesh, '--run-dir', folder.run, '--capture', flags.capture],
      ...[
        '--gateway-port',
        flags.gatewayPort,
        '--page-address',
        flags.pageAddress,
        '--certificate-ttl',
        flags.once ? '8s' : '20s',
      ],
    ]);
  } catch (error) {
    process.stderr.write(`gatehouse tour: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
    return;
  }
  const stopped = new Promise<'signal'>((resolve) => {
    process.once('SIGINT', () => resolve('signal'));
    process.once('SIGTERM', () => resolve('signal'));
  });
  const caDir = join(folder.run, 'ca');
  const say = (line: string): void => {
    if (flags.output === 'text') process.stdout.write(`  ${pc.dim(line)}\n`);
  };
  const context = {
    mesh,
    folder: folder.mesh,
    auditFile: join(folder.run, 'audit.db'),
    customers: new Customers(mesh),
    rollout: new RolloutCommands(caDir, say),
    observedFor: flags.once ? '5s' : '10s',
    say,
  };
  const outcome = await Promise.race([runSteps(context, flags), stopped, mesh.ended.then(() => 'ended' as const)]);
  if (flags.once) process.exitCode = outcome === true ? 0 : 1;
  else if (outcome !== 'signal' && outcome !== 'ended') {
    process.stdout.write(whatNext(mesh, folder.mesh, context.auditFile, caDir));
    const traffic = setInterval(() => void gentleTraffic(mesh), 1_000);
    await Promise.race([stopped, mesh.ended]);
    clearInterval(traffic);
  }
  await mesh.stop();
  process.exit();
}

async function runSteps(context: TourContext, flags: TourFlags): Promise<boolean> {
  const results: (StepResult & { readonly name: string })[] = [];
  const plain = flags.output === 'text';
  for (const step of STEPS) {
    if (plain) process.stdout.write(`${pc.bold(step.title)}\n`);
    const result = await step.run(context).catch((error: unknown) => ({ ok: false, seen: `failed: ${String(error)}` }));
    results.push({ name: step.name, ...result });
    if (plain) process.stdout.write(`  ${result.ok ? pc.green('seen') : pc.red('NOT SEEN')}  ${result.seen}\n`);
  }
  const ok = results.every((result) => result.ok);
  if (plain) {
    const author = { preparedBy: 'gatehouse tour', version, store: context.auditFile };
    process.stdout.write(`\n${printed(printableReport(await wholeReport(context.auditFile), author), 'table')}\n`);
    process.stdout.write(`${ok ? pc.green('All of it was seen.') : pc.red('Something was not seen.')}\n`);
  } else if (flags.once) process.stdout.write(`${JSON.stringify({ ok, steps: results })}\n`);
  return ok;
}

/** A few requests a second, so that there is something to watch. */
async function gentleTraffic({ gateway }: TourMesh): Promise<void> {
  await Promise.all([
    ask(gateway, '/productpage'),
    ...['website', 'support', 'mobile', 'rewards'].map((site) => ask(gateway, '/account/7', { host: `${site}.shop.localhost` })),
  ]);
}

function whatNext({ gateway, page }: TourMesh, folder: string, auditFile: string, caDir: string): string {
  return `
The mesh is running, with a few requests a second. Try:
  curl http://${gateway}/productpage
  curl -H 'Host: support.shop.localhost' http://${gateway}/account/7
  curl -H 'Host: website.shop.localhost' http://${gateway}/account/7        # 403
  open http://${page ?? '127.0.0.1:15080'}/                                 # who talks to whom
  edit ${join(folder, 'reviews-80-20.yaml')}       # weights change at once
  npx gatehouse get authorizationpolicy -A --dir ${folder}
  npx gatehouse rollout status shop --ca-dir ${caDir}
  npx gatehouse audit report --db ${auditFile} --verdict denied
Ctrl-C stops everything.
`;
}
