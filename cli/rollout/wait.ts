import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { parseDuration } from '../../mesh/admit/duration.ts';
import { STAGES } from '../../mesh/model/namespace-rollout.ts';
import type { RolloutStatus } from '../../policy/rollout/status.ts';
import { statusText } from './print-status.ts';
import { asData, outputOption } from './status.ts';
import { addWhere, asking, fail, type WhereFlags } from './where.ts';

interface WaitFlags extends WhereFlags {
  readonly for: string;
  readonly timeout: string;
  readonly output: 'table' | 'json' | 'yaml';
}

const LOOK_MS = 250;
const OUR_GATES = 'proxies';

type Wanted = (status: RolloutStatus) => boolean;

/** `stage=STAGE`, `ready` (nothing holds the next step) or `applied` (all proxies have accepted the stage). */
function wantedOf(text: string): Wanted | undefined {
  if (text === 'ready') return ({ next, heldBy }) => next !== undefined && heldBy.length === 0;
  if (text === 'applied')
    return ({ gates, next }) => next === undefined || gates.some(({ gate, met }) => gate === OUR_GATES && met);
  const stage = STAGES.find((one) => text === `stage=${one}`);
  return stage === undefined ? undefined : (status) => status.stage === stage;
}

async function wait(namespace: string, flags: WaitFlags): Promise<void> {
  const wanted = wantedOf(flags.for);
  if (wanted === undefined)
    return fail('wait', 2, `--for ${flags.for}: write ready, applied or stage=STAGE (${STAGES.join(', ')})`);
  const timeout = parseDuration(flags.timeout);
  if (timeout === undefined) return fail('wait', 2, `--timeout: ${flags.timeout} is no duration such as 5m`);
  return asking('wait', flags, async (orders) => {
    const end = performance.now() + timeout;
    for (;;) {
      const answer = await orders.status(namespace);
      if (answer.ok && wanted(answer.value)) {
        process.stdout.write(
          flags.output === 'table'
            ? statusText({ ...answer.value, history: [] }, Date.now())
            : asData(answer.value, flags.output),
        );
        return undefined;
      }
      if (performance.now() >= end) {
        const at = answer.ok ? `it is at ${answer.value.stage}` : answer.error;
        return fail('wait', 1, `not ${flags.for} after ${flags.timeout}: ${at}`, answer.ok ? answer.value.heldBy : answer.heldBy);
      }
      await pause(LOOK_MS);
    }
  });
}

export function waitCommand(): Command {
  return addWhere(new Command('wait'))
    .description('wait until a namespace has come so far; exit 1, with what holds it, when the time is over')
    .argument('<namespace>')
    .requiredOption(
      '--for <what>',
      'stage=STAGE; ready: nothing holds the next step; applied: all proxies have accepted the stage',
    )
    .option('--timeout <duration>', 'how long', '5m')
    .addOption(outputOption('table', 'json', 'yaml'))
    .addHelpText(
      'after',
      `
Examples:
  gatehouse rollout wait bookinfo --for ready --timeout 24h && gatehouse rollout advance bookinfo
  gatehouse rollout wait bookinfo --for stage=enforce --timeout 10m`,
    )
    .action(wait);
}
