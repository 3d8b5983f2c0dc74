import type { Command } from 'commander';
import { putCommand } from './input/put-command.ts';

/** `gatehouse replace`: refuses what is not there yet. */
export function replaceCommand(): Command {
  return putCommand({
    name: 'replace',
    description: 'change objects in a folder of configuration or in a cluster; refuses what is not there yet',
    examples: `Examples:
  gatehouse replace -f route.yaml
  gatehouse replace -f route.yaml --dir /etc/gatehouse/mesh
  gatehouse replace -f route.yaml --kubernetes`,
    refusal: (manifest, exists) => (exists ? undefined : `${manifest.key} not found (use gatehouse create or gatehouse apply)`),
    outcome: () => 'replaced',
  });
}
