import { watch } from 'node:fs';

import type { FSWatcher } from 'node:fs';

/** Events from folders; only a hint to look sooner than the next regular look. */
export interface FolderWatch {
  /** Watches exactly these folders from now on. One that is not there, or cannot be watched, is passed over. */
  set(folders: readonly string[]): void;
  close(): void;
}

/** Most folders that are watched: each costs the system a watch, and files in others are still looked at. */
const MAX_FOLDERS = 64;

/** What happened in a folder: the content of a file changed, or a name came, went or stands for another file. The system does not always say which name. */
export type FolderEvent = (kind: 'change' | 'rename', name: string | null) => void;

/** Creates a watch that calls `onEvent` for every event, many of which say nothing. */
export function createFolderWatch(onEvent: FolderEvent): FolderWatch {
  const open = new Map<string, FSWatcher>();
  const forget = (folder: string): void => {
    open.get(folder)?.close();
    open.delete(folder);
  };
  return {
    set(folders) {
      const wanted = new Set(folders.slice(0, MAX_FOLDERS));
      for (const folder of open.keys()) if (!wanted.has(folder)) forget(folder);
      for (const folder of wanted) if (!open.has(folder)) begin(folder, open, onEvent);
    },
    close() {
      for (const folder of open.keys()) forget(folder);
    },
  };
}

function begin(folder: string, open: Map<string, FSWatcher>, onEvent: FolderEvent): void {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    // A folder that goes away ends its watch; it is tried again when the source is next read.
    watcher.on('error', () => {
      watcher.close();
      if (open.get(folder) === watcher) open.delete(folder);
    });
    open.set(folder, watcher);
  } catch {
    // Not there yet, or the system has no watches left: the regular look finds changes all the same.
  }
}
