"""What the README's figures come from: ours and theirs in one run."""
