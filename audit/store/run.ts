import { randomUUID } from 'node:crypto';

/** Tells this process from every other that writes, on whatever machine. */
export const THIS_RUN = randomUUID();
