"""What comes from users: tables, texts and photos, read, validated and split."""
