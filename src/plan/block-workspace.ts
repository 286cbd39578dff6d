/** The columns that a block is written from, kept with the block, whose buffers serve one block after the other. */
import { AuditColumns } from './audit-rows';
import type { ChangeBlock } from './change-block';
import { SignedRows, type RowShape } from './mirror-rows';

const MOST_SHAPES = 4;

export class BlockWorkspace {
  readonly audit = new AuditColumns();
  private readonly signed = new Map<RowShape, SignedRows>();

  /** Empty rows of this shape. Those of the last call for the same shape are given up. */
  rowsOf(shape: RowShape): SignedRows {
    const kept = this.signed.get(shape);
    if (kept !== undefined) {
      kept.clear();
      return kept;
    }
    // A table that changed has a new layout: the old ones are let go.
    if (this.signed.size >= MOST_SHAPES) this.signed.clear();
    const made = new SignedRows(shape);
    this.signed.set(shape, made);
    return made;
  }
}

const workspaces = new WeakMap<ChangeBlock, BlockWorkspace>();

/** The block's own; what was made in it holds until the block gives it away, or is prepared again. */
export function workspaceOf(block: ChangeBlock): BlockWorkspace {
  let found = workspaces.get(block);
  if (found === undefined) workspaces.set(block, (found = new BlockWorkspace()));
  return found;
}

/** Takes a written block's workspace from it, for the next one: a partition writes one block at a time. */
export function takeWorkspace(block: ChangeBlock): BlockWorkspace | null {
  const found = workspaces.get(block) ?? null;
  workspaces.delete(block);
  return found;
}

export function giveWorkspace(block: ChangeBlock, workspace: BlockWorkspace): void {
  workspaces.set(block, workspace);
}
