/** Shares as bars. */
interface Row {
  label: string
  /** 0 to 1. */
  share: number
  note?: string
}

export function Bars({ rows, label }: { rows: readonly Row[]; label: string }) {
  return (
    <ol class="bars" aria-label={label}>
      {rows.map(({ label: name, share, note }) => (
        <li key={name}>
          <span class="name">{name}</span>
          <span class="track" aria-hidden="true">
            <span class="fill" style={{ '--share': share }} />
          </span>
          <span class="value">{(share * 100).toFixed(1)} %</span>
          {note && <span class="small muted">{note}</span>}
        </li>
      ))}
    </ol>
  )
}
