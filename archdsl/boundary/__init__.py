"""Where people and disks are met: amounts as people write them, files written whole, formats."""
