import type { Command } from 'commander';
import { putCommand } from './input/put-command.ts';

/** `gatehouse create`: refuses what is already there. */
export function createCommand(): Command {
  return putCommand({
    name: 'create',
    description: 'create objects in a folder of configuration or in a cluster; refuses what is already there',
    examples: `Examples:
  gatehouse create -f route.yaml
  gatehouse create -f route.yaml --dir /etc/gatehouse/mesh
  gatehouse create -f route.yaml --kubernetes`,
    refusal: (manifest, exists) =>
      exists ? `${manifest.key} already exists (use gatehouse apply or gatehouse replace)` : undefined,
    outcome: () => 'created',
  });
}
