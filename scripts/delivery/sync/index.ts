export { type FollowOptions, followCommit } from './follow.ts';
export { receiptLines } from './lines.ts';
export type { Receipt } from './receipt.ts';
