delete from core.setting where name = 'over_limit_kw';
