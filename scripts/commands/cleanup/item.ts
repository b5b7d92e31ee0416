/** Something that the platform brought to this machine, and that `down` takes away and looks for afterwards. */
export interface Item {
  kind: 'process' | 'container' | 'volume' | 'network' | 'port' | 'file' | 'image' | 'trust';
  /** As a person reads it. */
  name: string;
  /** None for what goes together with another item. Throws a `UserError` with the reason where it fails. */
  remove?(): Promise<void>;
  isThere(): Promise<boolean>;
}

/** What was found, in the order in which it has to go, and what a person should know of what stays. */
export interface Belongings {
  items: Item[];
  notes: string[];
}
